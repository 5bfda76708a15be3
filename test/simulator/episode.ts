/** One seed from the first action to the last trace of it. */
import { Agents } from "./agents.js";
import { Disturbances } from "./disturbances.js";
import { Fleet } from "./fleet.js";
import { checkAtRest, checkDrained, checkNothingLeft, Promptness } from "./liveness-rules.js";
import { Oracle, type Violation } from "./oracle.js";
import { WorldClock } from "./process-clock.js";
import { type Action, isDisturbance, writeScript } from "./script.js";
import { Trace } from "./trace.js";
import { VirtualTime } from "./virtual-time.js";
import { type Weather, weatherOf } from "./weather.js";

export interface EpisodeOptions {
  readonly seed: number;
  readonly managers?: number | undefined;
  /** Instead of what the seed says. */
  readonly script?: readonly Action[];
  /** When faults end; default with the last action. */
  readonly calmAt?: number;
  /** Faults that do not happen this time. */
  readonly spared?: ReadonlySet<string>;
  readonly traced?: boolean;
}

export interface Ending {
  readonly weather: Weather;
  readonly script: readonly Action[];
  readonly steps: number;
  readonly violation: Violation | undefined;
  readonly granted: number;
  readonly refused: number;
  readonly faults: ReadonlyMap<string, number>;
  /** The throws of dice that brought faults. */
  readonly thrown: readonly string[];
  readonly trace: Trace | undefined;
}

const promptEveryMs = 125;
/** After the last fault: waits with a timeout are over, entries of dead managers have lapsed, and every sweep came by. */
const restMs = 75_000;
const drainMs = 8_000;
const closeMs = 5_000;
const scrapeMs = 50;
/** The longest ttl, and a sweep after it. */
const expireMs = 600_000 + 70_000;

export async function runEpisode(options: EpisodeOptions): Promise<Ending> {
  const weather = weatherOf(options.seed, options.managers);
  const script = options.script ?? writeScript(weather);
  const time = new VirtualTime();
  const world = new WorldClock(time);
  const trace = options.traced === true ? new Trace(() => time.now) : undefined;
  const oracle = new Oracle(weather, time, world, trace);
  const fleet = new Fleet({ weather, time, world, oracle, trace, spared: options.spared ?? new Set() });
  const stage = { fleet, oracle, time, world, trace };
  const agents = new Agents(stage);
  const disturbances = new Disturbances(stage);
  const broken = (): boolean => {
    if (time.isSpinning) oracle.report("I9", "a manager goes round in circles, and time does not pass");
    return oracle.violation !== undefined;
  };
  const pass = (ms: number): Promise<void> => time.passUntil(time.now + ms, broken);

  for (let place = 0; place < weather.managers; place++) await fleet.start(place);
  for (const action of script) {
    time.at(action.at, () => {
      time.step();
      if (isDisturbance(action)) disturbances.perform(action);
      else agents.perform(action);
    });
  }
  if (weather.isCalm) watch(time, new Promptness(oracle, time, weather.chances.latencyMs !== undefined));

  const stages: readonly (() => Promise<void>)[] = [
    () => time.passUntil(options.calmAt ?? script.at(-1)?.at ?? 0, broken),
    async () => {
      fleet.calmDown();
      await pass(restMs);
      checkAtRest(oracle, fleet.living);
    },
    async () => {
      agents.giveBackAll();
      await pass(drainMs);
      checkDrained(oracle, fleet.living);
    },
    async () => {
      if (!weather.readsEvents) return;
      const awake = fleet.living.filter((process) => process.isAwake);
      const texts = Promise.all(awake.map((process) => process.manager!.metrics()));
      await pass(scrapeMs);
      for (const [index, text] of (await texts).entries())
        fleet.events.checkMetrics(awake[index]!, text, oracle.truth, oracle.report);
    },
    async () => {
      for (const process of fleet.living) if (!process.isClosing) disturbances.close(process, true);
      await pass(closeMs);
    },
    async () => {
      const last = await fleet.start(0);
      await pass(expireMs);
      checkNothingLeft(oracle);
      if (weather.tellsAll) fleet.events.check(oracle.truth, oracle.report);
      disturbances.close(last, true);
      await pass(closeMs);
    },
  ];
  for (const stage of stages) if (!broken()) await stage();
  return {
    weather,
    script,
    steps: time.steps,
    violation: oracle.violation,
    trace,
    granted: agents.acquiring.granted,
    refused: agents.acquiring.refused,
    faults: fleet.faults,
    thrown: fleet.thrown,
  };
}

function watch(time: VirtualTime, promptness: Promptness): void {
  time.at(time.now + promptEveryMs, () => {
    promptness.check();
    watch(time, promptness);
  });
}
