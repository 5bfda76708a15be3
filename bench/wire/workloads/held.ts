/** Locks that are held: what each takes of the server's memory, and whether they slow down the others. */
import { figure } from "../../table.js";
import type { Settings, Workload } from "../../workloads/workload.js";
import { holders } from "../kinds.js";
import { type Pair, withPairs } from "../pair.js";
import { pairsInTurns, ratesOf } from "../pair-rounds.js";

const workers = 64;

interface Held {
  readonly name: string;
  readonly bytesPerLock: number;
  /** Acquires per second while they were taken, a thousand at once. */
  readonly taking: number;
  /** Cycles of others per second. */
  readonly before: number;
  readonly after: number;
}

export const held: Workload = {
  name: "held",
  async run(settings) {
    const count = settings.quick ? 10_000 : 100_000;
    const data: Held[] = [];
    // One at a time: their memory is in nobody's way.
    for (const kind of holders) {
      data.push(
        ...(await withPairs(settings, [kind], undefined, (pairs) => measureAll(settings, pairs, count))),
      );
    }
    return [
      {
        title: `${count.toLocaleString("en-US")} locks held over the wire`,
        head: ["", "bytes per lock", "acquires/s meanwhile", "cycles/s before", "cycles/s with them"],
        rows: data.map(({ name, bytesPerLock, taking, before, after }) => [
          name,
          figure(bytesPerLock),
          figure(taking),
          figure(before),
          figure(after),
        ]),
        notes: [
          `Memory of the server: its heap after two full collections; for Redis its used_memory. Cycles are acquire + release of other paths by ${workers} workers.`,
        ],
        data,
      },
    ];
  },
};

async function measureAll(settings: Settings, pairs: readonly Pair[], count: number): Promise<Held[]> {
  const all: Held[] = [];
  for (const pair of pairs) all.push(await measure(settings, pair, count));
  return all;
}

async function measure({ pace }: Settings, pair: Pair, count: number): Promise<Held> {
  const rate = async (): Promise<number> => {
    const reports = await pairsInTurns([pair], pace, (one, seconds) =>
      one.run({ do: "distinct", workers, seconds }),
    );
    return ratesOf(reports.get(pair.name) ?? []).cyclesPerSecond;
  };
  const before = await rate();
  const empty = await pair.bytes();
  const { cycles, seconds } = await pair.run({ do: "hold", count });
  const bytesPerLock = ((await pair.bytes()) - empty) / count;
  return { name: pair.name, bytesPerLock, taking: cycles / seconds, before, after: await rate() };
}
