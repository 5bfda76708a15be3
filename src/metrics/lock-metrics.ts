/** The metrics of a lock manager: what its events add up to, as Prometheus text. */
import { ActiveLocks, type CountLocks } from "./active-locks.js";
import type { Registry } from "./exposition.js";
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

/**
 * The library that writes the metrics is loaded when it is first needed: with a registry of the caller's now, else when somebody asks for the text.
 *
 * @throws Error when the registry has other metrics under the names of these.
 */
export async function createLockMetrics(options: LockMetricsOptions): Promise<LockMetrics> {
  const { registry, namedTypes = [], activeLocks, store = activeLocks } = options;
  const { sums, active } =
    registry === undefined ? { sums: new LockSums(), active: new ActiveLocks() } : await sumsIn(registry);
  sums.byType.reserve(namedTypes);
  const close = active.add(store, activeLocks);
  let shown = registry;
  return {
    observe: (event) => sums.observe(event),
    text: async () => {
      shown ??= await ownRegistry(sums, active);
      return shown.metrics();
    },
    close,
  };
}

async function ownRegistry(sums: LockSums, active: ActiveLocks): Promise<Registry> {
  const { Registry, registerIn } = await import("./exposition.js");
  const registry = new Registry();
  registerIn(registry, sums, active);
  return registry;
}

async function sumsIn(registry: Registry): Promise<RegisteredSums> {
  const { registerIn } = await import("./exposition.js");
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
