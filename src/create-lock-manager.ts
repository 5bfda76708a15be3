/** The factory: a lock manager in process, over a store. */
import type { Clock } from "./clock/clock.js";
import { randomId } from "./clock/random-id.js";
import { systemClock } from "./clock/system-clock.js";
import { invalid } from "./errors.js";
import type { LockManager } from "./lock-manager.js";
import { type LockManagerConfig, readConfig } from "./manager/config.js";
import { Engine } from "./manager/engine.js";
import { createLockMetrics, type LockMetricsOptions } from "./metrics/lock-metrics.js";
import { openStore } from "./open-store.js";
import type { Store } from "./store/store.js";

export type CreateLockManagerConfig = LockManagerConfig & {
  /** Where the metrics go; default a registry of the manager's own. */
  readonly registry?: NonNullable<LockMetricsOptions["registry"]>;
};

/** What a manager takes from its surroundings. Tests hand in their own. */
export interface Surroundings {
  readonly clock?: Clock;
  /** Unique ids for locks and managers; at least 122 random bits. */
  readonly newId?: () => string;
  /** Between 0 and 1, for jitter. */
  readonly random?: () => number;
}

/**
 * A lock manager over a store, or over the URL of one (`memory:`, `file:PATH`, `postgres://…`), which is then opened, and closed with the manager.
 *
 * @throws LockError `invalid` for a bad configuration or URL, `store_unavailable` when the store cannot be read; StoreError when it cannot be opened.
 */
export async function createLockManager(
  config: CreateLockManagerConfig,
  store: Store | string,
  surroundings: Surroundings = {},
): Promise<LockManager> {
  const { clock = systemClock, newId = randomId, random = Math.random } = surroundings;
  if (typeof config !== "object" || config === null) throw invalid("config", config, "an object");
  const { registry, ...rest } = config;
  const checked = readConfig(rest);
  const ownsStore = typeof store === "string";
  const opened = typeof store === "string" ? await openStore(store, { clock }) : store;
  try {
    return await Engine.create({
      config: checked,
      store: opened,
      ownsStore,
      clock,
      newId,
      random,
      ...(checked.hasMetrics
        ? {
            metrics: (activeLocks) =>
              createLockMetrics({
                ...(registry === undefined ? {} : { registry }),
                namedTypes: [...checked.policies.keys()],
                activeLocks,
                store: opened,
              }),
          }
        : {}),
    });
  } catch (error) {
    if (ownsStore) await opened.close();
    throw error;
  }
}
