/** What a seed decides before anything happens: which faults there are, how crowded it is, and what is allowed. */
import type { Limits } from "../../src/core/grant.js";
import type { Chances } from "../support/faulty-store.js";
import { Dice, mix } from "./chance.js";

export interface Weather {
  readonly seed: number;
  readonly name: string;
  readonly managers: number;
  readonly chances: Chances;
  /** Store and wall clocks step. */
  readonly clockSteps: boolean;
  /** Managers die and are started again. */
  readonly restarts: boolean;
  /** Managers are stopped, also beyond the ttls of their locks. */
  readonly pauses: boolean;
  /** The store is down for a while. */
  readonly outages: boolean;
  /** Nothing goes wrong, so that order and latency are exact. */
  readonly isCalm: boolean;
  readonly paths: readonly string[];
  readonly agents: readonly string[];
  readonly limits: Limits;
  readonly actions: number;
  /** Milliseconds between two actions, on average. */
  readonly gapMs: number;
  /** All events of all managers are read and compared with what happened. */
  readonly readsEvents: boolean;
  /** No reply is lost, with which the word of what happened is lost as well. */
  readonly tellsAll: boolean;
}

/** 10 % of all commits meet a fault, which is denser than any production. */
const faulty: Chances = { replyLost: 0.03, requestLost: 0.02, late: 0.02, refused: 0.02, slow: 0.01 };
/** Later than the time after which a manager counts a change as over. */
const latestMs = 12_000;
const noLimits: Limits = { maxLocksPerAgent: 100, maxWaitersPerAgent: 1_000, maxWaitersPerResource: 10_000 };

const skies: readonly { readonly name: string; readonly share: number; readonly chances: Chances }[] = [
  { name: "calm", share: 0.2, chances: {} },
  { name: "calm, with latency", share: 0.1, chances: { latencyMs: 6 } },
  { name: "faulty", share: 0.2, chances: { ...faulty, overtaken: 0.02 } },
  {
    name: "faulty and far away",
    share: 0.15,
    chances: { ...faulty, latencyMs: 20, latestMs, hintLost: 0.1, hintRepeated: 0.05, hintDelayed: 0.1 },
  },
  {
    name: "slow",
    share: 0.1,
    chances: { slow: 0.2, late: 0.04, latencyMs: 50, latestMs, cutOffMs: 2_000, hintDelayed: 0.1 },
  },
  { name: "contested", share: 0.1, chances: { overtaken: 0.5, latencyMs: 2 } },
  {
    name: "deaf",
    share: 0.15,
    chances: { hintLost: 0.5, hintRepeated: 0.2, hintDelayed: 0.2, replyLost: 0.01, latencyMs: 3 },
  },
];

const fewPaths = ["/", "/a", "/a/b", "/a/b/c", "/d", "/e"];
const somePaths = [...fewPaths, "/a/x", "/ab", "/d/e", "/f/g/h", "/f/g", "/i"];
const manyPaths = [...somePaths, ...Array.from({ length: 40 }, (_, index) => `/j/${index}`)];
const flatPaths = ["/a", "/b", "/c", "/d"];
const fewAgents = ["ann", "bob", "cat", "d/d%"];
const manyAgents = [...fewAgents, ...Array.from({ length: 20 }, (_, index) => `agent-${index}`)];

export function weatherOf(seed: number, managers?: number): Weather {
  const dice = new Dice(mix(seed, 1));
  const { name, chances } = skyOf(dice.next());
  const usual = dice.pick([1, 2, 3, 3, 3, 4]);
  const isCalm = name.startsWith("calm");
  const faults = (chance: number): boolean => dice.happens(isCalm ? 0 : chance);
  const restarts = faults(0.3 / 0.7);
  const readsEvents = dice.happens(0.3);
  return {
    seed,
    name,
    managers: managers ?? usual,
    chances,
    // Of all seeds, so of more of those that are not calm.
    clockSteps: faults(0.2 / 0.7),
    restarts,
    pauses: faults(0.3 / 0.7),
    outages: faults(0.2 / 0.7),
    isCalm,
    paths: dice.pick([fewPaths, fewPaths, somePaths, manyPaths, flatPaths]),
    agents: dice.pick([fewAgents, fewAgents, manyAgents]),
    limits: dice.pick<Limits>([
      noLimits,
      noLimits,
      { ...noLimits, maxLocksPerAgent: 2 },
      { ...noLimits, maxLocksPerAgent: 4 },
      { maxLocksPerAgent: 3, maxWaitersPerAgent: 4, maxWaitersPerResource: 3 },
    ]),
    actions: 250 + dice.below(500),
    gapMs: dice.pick([10, 40, 100, 200, 400]),
    readsEvents,
    tellsAll: readsEvents && !restarts && (chances.replyLost ?? chances.late) === undefined,
  };
}

function skyOf(throw_: number): (typeof skies)[number] {
  let left = throw_;
  for (const sky of skies) {
    left -= sky.share;
    if (left < 0) return sky;
  }
  return skies[0]!;
}
