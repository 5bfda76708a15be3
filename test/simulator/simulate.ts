/** Many episodes, one after the other, until enough has happened or something was wrong. */
import { mix } from "./chance.js";
import { type Ending, runEpisode } from "./episode.js";

export interface SimulationOptions {
  /** The first episode has this very seed; the seeds of the others are derived from it. */
  readonly seed: number;
  /** The seeds of episodes that go before that. */
  readonly before?: readonly number[];
  /** At least so many. */
  readonly steps: number;
  /** Default: between 1 and 4, as each seed says. */
  readonly managers?: number | undefined;
  readonly onEpisode?: (soFar: Tally) => void;
  /** Asked after each episode: true ends it early. */
  readonly isEnough?: () => boolean;
}

export interface Tally {
  steps: number;
  seeds: number;
  granted: number;
  refused: number;
  /** How many seeds had which weather. */
  readonly weathers: Map<string, number>;
  /** How many faults there were of each kind. */
  readonly faults: Map<string, number>;
}

export interface Simulation {
  readonly tally: Tally;
  /** The first episode that ended with a violation. */
  readonly broken: Ending | undefined;
}

export async function simulate(options: SimulationOptions): Promise<Simulation> {
  const { seed, before = [], steps, managers, onEpisode, isEnough } = options;
  const tally: Tally = {
    steps: 0,
    seeds: 0,
    granted: 0,
    refused: 0,
    weathers: new Map(),
    faults: new Map(),
  };
  while (tally.steps < steps) {
    const { seeds } = tally;
    const next = before[seeds] ?? seedOf(seed, seeds - before.length);
    const ending = await runEpisode({ seed: next, managers });
    add(tally, ending);
    if (ending.violation !== undefined) return { tally, broken: ending };
    onEpisode?.(tally);
    if (isEnough?.() === true) break;
  }
  return { tally, broken: undefined };
}

/** Of the n-th episode. */
function seedOf(seed: number, n: number): number {
  return n === 0 ? seed : mix(seed, n);
}

function add(tally: Tally, { steps, weather, faults, granted, refused }: Ending): void {
  tally.steps += steps;
  tally.seeds++;
  tally.granted += granted;
  tally.refused += refused;
  const count = (counts: Map<string, number>, name: string, times: number): void => {
    counts.set(name, (counts.get(name) ?? 0) + times);
  };
  count(tally.weathers, weather.name, 1);
  if (weather.clockSteps) count(tally.weathers, "with clock steps", 1);
  if (weather.restarts) count(tally.weathers, "with restarts", 1);
  if (weather.pauses) count(tally.weathers, "with stopped managers", 1);
  if (weather.outages) count(tally.weathers, "with outages", 1);
  for (const [name, times] of faults) count(tally.faults, name, times);
}
