/** Cycles per second and what they cost, for several numbers of workers. */
import { figure } from "../../table.js";
import type { Answer, Settings } from "../../workloads/workload.js";
import { withPairs } from "../pair.js";
import { type PairRates, pairsInTurns, ratesOf } from "../pair-rounds.js";
import type { WireKind } from "../wire-kind.js";

export interface RateQuestion {
  readonly title: string;
  readonly task: "distinct" | "multi";
  readonly kinds: readonly WireKind[];
  readonly workers: readonly number[];
  /** The only core to run on. */
  readonly core?: number;
  readonly notes?: readonly string[];
}

export async function rates(settings: Settings, question: RateQuestion): Promise<Answer[]> {
  const { title, task, kinds, workers, core, notes = [] } = question;
  return withPairs(settings, kinds, core, async (pairs) => {
    const byWorkers = new Map<number, Map<string, PairRates>>();
    for (const count of workers) {
      const reports = await pairsInTurns(pairs, settings.pace, (pair, seconds) =>
        pair.run({ do: task, workers: count, seconds }),
      );
      byWorkers.set(count, new Map([...reports].map(([name, done]) => [name, ratesOf(done)])));
    }
    const row = (name: string, cells: (rates: PairRates | undefined) => string[]): string[] => [
      name,
      ...workers.flatMap((count) => cells(byWorkers.get(count)?.get(name))),
    ];
    const names = pairs.map(({ name }) => name);
    return [
      {
        title: `Cycles per second over the wire: ${title}`,
        head: ["", ...workers.map((count) => `${count} workers`)],
        rows: names.map((name) => row(name, (rate) => [figure(rate?.cyclesPerSecond)])),
        notes,
        data: Object.fromEntries([...byWorkers].map(([count, some]) => [count, Object.fromEntries(some)])),
      },
      {
        title: `CPU µs per cycle: ${title}`,
        head: ["", ...workers.flatMap((count) => [`client, ${count}`, `server, ${count}`])],
        rows: names.map((name) =>
          row(name, (rate) => [figure(rate?.clientMicros), figure(rate?.serverMicros)]),
        ),
        data: undefined,
      },
    ];
  });
}
