/** The stores that managers of several machines share, each beside the usual locks on the same kind of server. For `--store`. */
import type { SiteKind } from "./contestant.js";
import { onEtcd } from "./etcd.js";
import { postgresStore } from "./postgres.js";
import { redisStore } from "./redis.js";

/** Ours first. */
export const networkStores: Readonly<Record<string, readonly SiteKind[]>> = {
  postgres: postgresStore,
  etcd: onEtcd,
  redis: redisStore,
};
