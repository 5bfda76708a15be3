/** The stores that managers of several machines share, each beside the usual locks on the same kind of server. For `--store`. */
import type { ContestantKind } from "./contestant.js";
import { onEtcd } from "./etcd.js";
import { postgresStore } from "./postgres.js";

export const networkStores: Readonly<Record<string, readonly ContestantKind[]>> = {
  postgres: postgresStore,
  etcd: onEtcd,
};
