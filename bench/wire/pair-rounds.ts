/** Runs pairs in turn, round after round, so that a noisy minute of the machine meets all of them. */
import type { Pace } from "../rounds.js";
import { median } from "../statistics.js";
import type { Pair, PairReport } from "./pair.js";

/** JavaScript is slow until its hot code is compiled, which takes some seconds, and up to ten where calls come one by one. */
const warmUpRounds = 12;

/**
 * Reports of each pair by its name. The first, longer round of each is for warming up and does not count. Who fails is named, and left out from there.
 */
export async function pairsInTurns(
  pairs: readonly Pair[],
  pace: Pace,
  run: (pair: Pair, seconds: number) => Promise<PairReport>,
): Promise<Map<string, PairReport[]>> {
  const reports = new Map(pairs.map((pair) => [pair, [] as PairReport[]]));
  const attempt = async (pair: Pair, seconds: number): Promise<PairReport | undefined> => {
    try {
      return await run(pair, seconds);
    } catch (error) {
      reports.delete(pair);
      console.log(`${pair.name} is left out: ${error instanceof Error ? error.message : String(error)}.`);
      process.exitCode = 1;
      return undefined;
    }
  };
  for (const pair of pairs) await attempt(pair, pace.seconds * warmUpRounds);
  for (let n = 0; n < pace.rounds; n++) {
    for (const [pair, done] of reports) {
      const report = await attempt(pair, pace.seconds);
      if (report !== undefined) done.push(report);
    }
  }
  return new Map([...reports].map(([pair, done]) => [pair.name, done]));
}

export interface PairRates {
  readonly rounds: readonly PairReport[];
  /** Medians of the rounds. */
  readonly cyclesPerSecond: number;
  /** Microseconds of CPU time per cycle. */
  readonly clientMicros: number;
  readonly serverMicros: number;
}

export function ratesOf(reports: readonly PairReport[]): PairRates {
  return {
    rounds: reports,
    cyclesPerSecond: median(reports.map(({ cycles, seconds }) => cycles / seconds)),
    clientMicros: median(reports.map(({ cycles, cpuSeconds }) => (cpuSeconds * 1e6) / cycles)),
    serverMicros: median(reports.map(({ cycles, serverCpuSeconds }) => (serverCpuSeconds * 1e6) / cycles)),
  };
}
