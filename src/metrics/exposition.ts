/** Shows the sums as Prometheus metrics. The only file that knows the metrics library. */
import { Counter, Gauge, Histogram, Registry } from "@prometheus-io/client";
import type { ActiveLocks } from "./active-locks.js";
import type { LockSums } from "./lock-sums.js";
import type { Tally } from "./tally.js";
import type { TypeSums } from "./type-sums.js";

export { Registry };

/**
 * Puts the metrics of these sums into a registry and returns how to do so once more, which repeats nothing: for a registry that its owner
 * may have cleared. They show the sums as they stand, so the registry's `resetMetrics` changes nothing.
 *
 * @throws Error when the registry has other metrics under these names.
 */
export function registerIn(registry: Registry, sums: LockSums, active: ActiveLocks): () => void {
  const metrics = lockMetrics(sums, active);
  const register = (): void => {
    for (const metric of metrics) registry.registerMetric(metric);
  };
  register();
  return register;
}

function lockMetrics(sums: LockSums, active: ActiveLocks): (Counter<string> | Gauge | Histogram<string>)[] {
  return [
    bySuccess(
      "engram_lock_acquisitions_total",
      "Acquires that finished: with a lock, or refused. Extending a lock by acquiring it again is none.",
      sums,
      ({ acquired, refused }) => [acquired, refused],
    ),
    bySuccess(
      "engram_lock_releases_total",
      "Releases that finished. A forced release is none.",
      sums,
      ({ released, releaseFailed }) => [released, releaseFailed],
    ),
    counter(
      "engram_lock_failures_total",
      "Calls that failed in the end, by error code.",
      ["reason"],
      function* () {
        for (const [reason, count] of sums.failures) yield [{ reason }, count];
      },
    ),
    byType(
      "engram_lock_contention_total",
      "Acquires that found the resource taken, once each.",
      sums,
      ({ contended }) => contended,
    ),
    byType(
      "engram_lock_extensions_total",
      "Locks whose expiry was moved, by an extension or by acquiring them again.",
      sums,
      ({ extended }) => extended,
    ),
    byType("engram_lock_revocations_total", "Locks ended by an operator.", sums, ({ revoked }) => revoked),
    counter(
      "engram_lock_lost_total",
      "Holders told that they hold a lock no more, by how it ended.",
      ["how"],
      function* () {
        for (const [how, count] of sums.lost) yield [{ how }, count];
      },
    ),
    counter("engram_locks_expired_total", "Locks ended by time.", [], () => [[{}, sums.expired]]),
    counter(
      "engram_locks_cleaned_up_total",
      "Expired locks removed by the automatic cleanup. The other expired ones made way for the next claim.",
      [],
      () => [[{}, sums.cleanedUp]],
    ),
    activeGauge(active),
    new TallyHistogram(
      "engram_lock_acquisition_duration_seconds",
      "How long the acquires took that got their lock.",
      sums,
      ({ acquisition }) => acquisition,
    ),
    new TallyHistogram(
      "engram_lock_hold_duration_seconds",
      "From the moment a lock was acquired to whatever ended it.",
      sums,
      ({ hold }) => hold,
    ),
  ];
}

type Sample<Label extends string> = readonly [labels: Partial<Record<Label, string>>, value: number];

/** A library's counter that shows, at each scrape, what `samples` says. */
function counter<Label extends string>(
  name: string,
  help: string,
  labelNames: readonly Label[],
  samples: () => Iterable<Sample<Label>>,
): Counter<string> {
  return new Counter<string>({
    name,
    help,
    labelNames,
    registers: [],
    collect() {
      this.reset();
      for (const [labels, value] of samples()) this.inc(labels, value);
    },
  });
}

function byType(
  name: string,
  help: string,
  sums: LockSums,
  count: (sums: TypeSums) => number,
): Counter<string> {
  return counter(name, help, ["resource_type"], function* () {
    for (const one of sums.byType) yield [{ resource_type: one.label }, count(one)];
  });
}

function bySuccess(
  name: string,
  help: string,
  sums: LockSums,
  counts: (sums: TypeSums) => readonly [succeeded: number, failed: number],
): Counter<string> {
  return counter(name, help, ["resource_type", "success"], function* () {
    for (const one of sums.byType) {
      const [succeeded, failed] = counts(one);
      yield [{ resource_type: one.label, success: "true" }, succeeded];
      yield [{ resource_type: one.label, success: "false" }, failed];
    }
  });
}

/** Managers in several processes on one store all see the same locks: adding up their gauges would count each lock several times. */
function activeGauge(active: ActiveLocks): Gauge {
  return new Gauge({
    name: "engram_active_locks",
    help: "Locks in force. Missing when the store cannot be asked.",
    aggregator: "max",
    registers: [],
    async collect() {
      const total = await active.total();
      if (total === undefined) this.remove();
      else this.set(total);
    },
  });
}

/** A histogram whose observations are counted elsewhere. */
class TallyHistogram extends Histogram<string> {
  readonly #name: string;
  readonly #help: string;
  readonly #sums: LockSums;
  readonly #tallyOf: (sums: TypeSums) => Tally;

  constructor(name: string, help: string, sums: LockSums, tallyOf: (sums: TypeSums) => Tally) {
    super({ name, help, labelNames: ["resource_type"], registers: [] });
    this.#name = name;
    this.#help = help;
    this.#sums = sums;
    this.#tallyOf = tallyOf;
  }

  /**
   * What the library reads when it writes text, and what its own `get()` turns into JSON. Its typings do not mention this method; were it
   * renamed, the histograms would be empty, which the tests would tell.
   */
  getForPromString(): unknown {
    const values = [...this.#sums.byType].flatMap((sums) => this.#samplesOf(sums.label, this.#tallyOf(sums)));
    return { name: this.#name, help: this.#help, type: "histogram", aggregator: "sum", values };
  }

  #samplesOf(type: string, { boundsMs, counts, sumMs }: Tally): unknown[] {
    const sharedLabels = { resource_type: type };
    let count = 0;
    const buckets = counts.map((inBucket, index) => {
      count += inBucket;
      const boundMs = boundsMs[index];
      const le = boundMs === undefined ? "+Inf" : boundMs / 1000;
      return { metricName: `${this.#name}_bucket`, labels: { le }, sharedLabels, value: count };
    });
    return [
      ...buckets,
      { metricName: `${this.#name}_sum`, labels: {}, sharedLabels, value: sumMs / 1000 },
      { metricName: `${this.#name}_count`, labels: {}, sharedLabels, value: count },
    ];
  }
}
