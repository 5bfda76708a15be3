/** Looks for the fewest actions and faults that still break the same invariant, by leaving out ever smaller parts (delta debugging, by Zeller). */
import { type Ending, runEpisode } from "./episode.js";
import type { Action } from "./script.js";

export interface Shrunk {
  readonly ending: Ending;
  readonly runs: number;
}

/** `patienceMs`: real time. Every run is one episode, which ends as soon as something is wrong. */
export async function shrink(broken: Ending, patienceMs: number, clock: () => number): Promise<Shrunk> {
  const until = clock() + patienceMs;
  const invariant = broken.violation?.invariant;
  const { seed, managers } = broken.weather;
  let runs = 0;
  const calmAt = broken.script.at(-1)?.at ?? 0;
  let script: readonly Action[] = broken.script;
  let spared: ReadonlySet<string> = new Set();

  const stillBreaks = async (fewer: readonly Action[], without: ReadonlySet<string>): Promise<boolean> => {
    runs++;
    const { violation } = await runEpisode({ seed, managers, script: fewer, calmAt, spared: without });
    return violation?.invariant === invariant;
  };
  const isOver = (): boolean => clock() > until;

  const untilThen = script.filter((action) => action.at <= (broken.violation?.at ?? Infinity));
  if (await stillBreaks(untilThen, spared)) script = untilThen;
  script = await fewest(script, (rest) => stillBreaks(rest, spared), isOver);
  const { thrown } = await runEpisode({ seed, managers, script, calmAt, spared });
  const faults = [...new Set(thrown)];
  const needed = await fewest(faults, (rest) => stillBreaks(script, allBut(faults, rest)), isOver);
  spared = allBut(faults, needed);
  script = await fewest(script, (rest) => stillBreaks(rest, spared), isOver);

  return { ending: await runEpisode({ seed, managers, script, calmAt, spared, traced: true }), runs };
}

function allBut(all: readonly string[], some: readonly string[]): ReadonlySet<string> {
  const kept = new Set(some);
  return new Set(all.filter((one) => !kept.has(one)));
}

/** The fewest that are still enough, or nearly so. */
export async function fewest<T>(
  all: readonly T[],
  isEnough: (some: readonly T[]) => Promise<boolean>,
  isOver: () => boolean,
): Promise<readonly T[]> {
  let some = all;
  let size = Math.ceil(some.length / 2);
  while (size > 0 && !isOver()) {
    let hasShrunk = false;
    for (let from = 0; from < some.length && !isOver(); ) {
      const rest = [...some.slice(0, from), ...some.slice(from + size)];
      if (await isEnough(rest)) {
        some = rest;
        hasShrunk = true;
      } else from += size;
    }
    if (size === 1 && !hasShrunk) break;
    size = size === 1 ? 1 : Math.ceil(size / 2);
  }
  return some;
}
