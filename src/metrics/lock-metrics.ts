/** The metrics of a lock manager: what its events add up to, as Prometheus text. */
import { ActiveLocks, type CountLocks } from "./active-locks.js";
import { Registry, registerIn } from "./exposition.js";
import { type CountedEvent, LockSums } from "./lock-sums.js";

export type { Registry };

export interface LockMetricsOptions {
  /** Where the metrics go; default a registry of their own. Managers that are given the same one add to the same sums. */
  readonly registry?: Registry;
  /** Resource types that have labels of their own whatever happens; of the others, the first to be used. */
  readonly namedTypes?: readonly string[];
  /** Counts the locks in force; called at each scrape. */
  readonly activeLocks: CountLocks;
  /** What `activeLocks` counts the locks of. Managers of one registry that name the same store have its locks counted once. */
  readonly store?: object;
}

export interface LockMetrics {
  /** Counts an event. Cheap: it is called for every lock taken and given back. */
  observe(event: CountedEvent): void;
  /** Everything in the registry. */
  text(): Promise<string>;
  /** Counts this manager's locks no more. What was observed stays. Idempotent. */
  close(): void;
}

interface RegisteredSums {
  readonly sums: LockSums;
  readonly active: ActiveLocks;
  readonly register: () => void;
}

const byRegistry = new WeakMap<Registry, RegisteredSums>();

/** @throws Error when the registry has other metrics under the names of these. */
export function createLockMetrics(options: LockMetricsOptions): LockMetrics {
  const { registry = new Registry(), namedTypes = [], activeLocks, store = activeLocks } = options;
  const { sums, active } = sumsIn(registry);
  sums.byType.reserve(namedTypes);
  const close = active.add(store, activeLocks);
  return { observe: (event) => sums.observe(event), text: () => registry.metrics(), close };
}

function sumsIn(registry: Registry): RegisteredSums {
  const known = byRegistry.get(registry);
  if (known !== undefined) {
    known.register();
    return known;
  }
  const sums = new LockSums();
  const active = new ActiveLocks();
  const registered = { sums, active, register: registerIn(registry, sums, active) };
  byRegistry.set(registry, registered);
  return registered;
}
