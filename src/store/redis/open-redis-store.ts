/** Opens the store on Redis, for which the driver has to be installed. */
import type { Clock } from "../../clock/clock.js";
import { type Store, StoreError } from "../store.js";
import { type Limits, usualLimits } from "./limits.js";
import { parseRedisUrl } from "./redis-url.js";

export interface RedisStoreOptions {
  readonly clock: Clock;
  readonly limits?: Limits;
}

/**
 * Opens the store at a URL `redis://…` or `rediss://…`, see docs/stores.md.
 *
 * Rejects with a `LockError` `invalid` when the URL is wrong, and with a `StoreError` that says what to do when the driver is not installed, or the
 * server cannot be reached or cannot carry locks.
 */
export async function openRedisStore(
  url: string,
  { clock, limits = usualLimits }: RedisStoreOptions,
): Promise<Store> {
  const place = parseRedisUrl(url);
  const { openOn } = await loadStore();
  return openOn(place, limits, clock);
}

async function loadStore() {
  try {
    return await import("./redis-store.js");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND")) throw error;
    throw new StoreError('A store on Redis needs the package "ioredis": npm install ioredis', {
      outcome: "none",
      retryable: false,
      cause: error,
    });
  }
}
