/** The stores that managers of several machines share, each beside the usual locks on the same kind of server. For `--store`. */
import type { ContestantKind } from "./contestant.js";
import { redisStore } from "./redis.js";

export const networkStores: Readonly<Record<string, readonly ContestantKind[]>> = {
  redis: redisStore,
};
