/** Runs contestants in turn, round after round, so that a noisy minute of the machine meets all of them. */
import type { Contestant } from "./contestants/contestant.js";
import { median } from "./statistics.js";

export interface Round {
  readonly cycles: number;
  readonly seconds: number;
  /** Of this whole process; a server's is not in it. */
  readonly cpuSeconds: number;
}

export interface Rates {
  readonly rounds: readonly Round[];
  /** Medians of the rounds. */
  readonly cyclesPerSecond: number;
  readonly cpuMicrosPerCycle: number;
}

export interface Pace {
  readonly seconds: number;
  readonly rounds: number;
}

/** What a worker does again and again. */
export type Cycle = (contestant: Contestant, worker: number, turn: number) => Promise<unknown>;

/** Rates of each contestant by its name. The first, longer round of each is for warming up and does not count. */
export async function inTurns(
  contestants: readonly Contestant[],
  workers: number,
  cycle: Cycle,
  pace: Pace,
): Promise<Map<string, Rates>> {
  const rounds = new Map<Contestant, Round[]>(contestants.map((contestant) => [contestant, []]));
  for (const contestant of contestants) await round(contestant, workers, cycle, pace.seconds * 2);
  for (let n = 0; n < pace.rounds; n++) {
    for (const [contestant, done] of rounds) done.push(await round(contestant, workers, cycle, pace.seconds));
  }
  return new Map([...rounds].map(([contestant, done]) => [contestant.name, rates(done)]));
}

/** @param lookEvery how many cycles of a worker lie between its looks at the clock. */
export async function round(
  contestant: Contestant,
  workers: number,
  cycle: Cycle,
  seconds: number,
  lookEvery = 8,
): Promise<Round> {
  const cpu = process.cpuUsage();
  const started = performance.now();
  const end = started + seconds * 1000;
  let cycles = 0;
  // A timer would never fire for a contestant that does everything in microtasks, hence the look at the clock.
  const work = async (worker: number): Promise<void> => {
    for (let turn = 0; turn % lookEvery !== 0 || performance.now() < end; turn++) {
      await cycle(contestant, worker, turn);
      cycles += 1;
    }
  };
  await Promise.all(Array.from({ length: workers }, (_, worker) => work(worker)));
  const elapsed = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { cycles, seconds: elapsed, cpuSeconds: (user + system) / 1e6 };
}

function rates(rounds: readonly Round[]): Rates {
  return {
    rounds,
    cyclesPerSecond: median(rounds.map(({ cycles, seconds }) => cycles / seconds)),
    cpuMicrosPerCycle: median(rounds.map(({ cycles, cpuSeconds }) => (cpuSeconds * 1e6) / cycles)),
  };
}
