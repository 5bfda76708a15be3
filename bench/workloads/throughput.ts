/** How many locks are taken and given back in a second, when nobody is in anybody's way. */
import type { Contestant } from "../contestants/contestant.js";
import { engramEmbedded, engramMemory } from "../contestants/engram-lock.js";
import { asyncLock, asyncMutex } from "../contestants/in-process-peers.js";
import { redis, redisFsync } from "../contestants/redis.js";
import { networkStores } from "../contestants/stores.js";
import { type Cycle, inTurns, type Rates } from "../rounds.js";
import { figure, ratio } from "../table.js";
import { type Answer, type Workload, withContestants } from "./workload.js";

const pathCount = 10_000;
const paths = Array.from({ length: pathCount }, (_, n) => `/repo/src/file-${n}.ts`);
const noWork = (): void => {};

/** One lock at a time, each worker an agent with paths of its own. */
export const distinctPaths: Workload = {
  name: "distinct",
  run: (settings) =>
    withContestants(
      settings,
      settings.instead ?? [engramMemory, engramEmbedded, asyncMutex, asyncLock, redis, redisFsync],
      async (contestants) => {
        const byWorkers = new Map<number, Map<string, Rates>>();
        for (const workers of settings.quick ? [1, 64] : [1, 16, 64, 256]) {
          const own = shares(workers);
          const cycle: Cycle = (contestant, worker, turn) => {
            const mine = own[worker] ?? [];
            return contestant.hold(mine[turn % mine.length] ?? "/none", worker, noWork);
          };
          byWorkers.set(workers, await inTurns(contestants, workers, cycle, settings.pace));
        }
        return ratesAndCpu("acquire + release of distinct paths out of 10,000", contestants, byWorkers);
      },
    ),
};

const pathsAtOnce = 8;

/** Eight locks at a time, all or none. */
export const manyAtOnce: Workload = {
  name: "multi",
  run: (settings) =>
    withContestants(settings, [engramMemory, engramEmbedded, asyncMutex, asyncLock], async (contestants) => {
      const workers = 16;
      const own = shares(workers).map(eights);
      const cycle: Cycle = async (contestant, worker, turn) => {
        const mine = own[worker] ?? [];
        await contestant.holdAll?.(mine[turn % mine.length] ?? [], worker, noWork);
      };
      const rates = await inTurns(contestants, workers, cycle, settings.pace);
      return ratesAndCpu(
        `acquire of ${pathsAtOnce} paths at once + release of each`,
        contestants,
        new Map([[workers, rates]]),
      );
    }),
};

/** Worker w of n has every n-th path, so that no two ever want the same. */
function shares(workers: number): string[][] {
  return Array.from({ length: workers }, (_, worker) => paths.filter((_path, n) => n % workers === worker));
}

function eights(mine: readonly string[]): string[][] {
  return Array.from({ length: Math.floor(mine.length / pathsAtOnce) }, (_, n) =>
    mine.slice(n * pathsAtOnce, (n + 1) * pathsAtOnce),
  );
}

const comparisons: readonly (readonly [ours: string, theirs: string])[] = [
  [engramMemory.name, asyncMutex.name],
  [engramMemory.name, asyncLock.name],
  [engramMemory.name, redis.name],
  [engramEmbedded.name, redisFsync.name],
  ...Object.values(networkStores).flatMap(([ours, ...peers]) =>
    peers.map(({ name }) => [ours?.name ?? "", name] as const),
  ),
];

function ratesAndCpu(
  what: string,
  contestants: readonly Contestant[],
  byWorkers: ReadonlyMap<number, ReadonlyMap<string, Rates>>,
): Answer[] {
  const names = contestants.map(({ name }) => name);
  const shown = comparisons.filter((pair) => pair.every((name) => names.includes(name)));
  const rows = [...byWorkers].map(([workers, rates]) => [
    inWords(workers),
    ...names.map((name) => figure(rates.get(name)?.cyclesPerSecond)),
    ...shown.map(([ours, theirs]) =>
      ratio(rates.get(ours)?.cyclesPerSecond, rates.get(theirs)?.cyclesPerSecond),
    ),
  ]);
  const cpuRows = [...byWorkers].map(([workers, rates]) => [
    inWords(workers),
    ...names.map((name) => figure(rates.get(name)?.cpuMicrosPerCycle)),
  ]);
  const data = Object.fromEntries(
    [...byWorkers].map(([workers, rates]) => [workers, Object.fromEntries(rates)]),
  );
  return [
    {
      title: `Cycles per second: ${what}`,
      head: ["", ...names, ...shown.map(([ours, theirs]) => `${ours} : ${theirs}`)],
      rows,
      data,
    },
    {
      title: `CPU µs per cycle, in this process: ${what}`,
      head: ["", ...names],
      rows: cpuRows,
      data: undefined,
    },
  ];
}

function inWords(workers: number): string {
  return workers === 1 ? "1 worker" : `${workers} workers`;
}
