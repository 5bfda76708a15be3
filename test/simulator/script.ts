/** What is going to happen in a run, written down beforehand: a run can be repeated with parts of it left out. */
import type { Mode, Scope } from "../../src/lock-manager.js";
import { Dice, mix } from "./chance.js";
import type { Weather } from "./weather.js";

export type Action = AgentAction | Disturbance;

/** What agents and operators do. */
export type AgentAction =
  | {
      readonly kind: "acquire";
      readonly at: number;
      readonly process: number;
      readonly agentId: string;
      readonly paths: readonly string[];
      readonly mode: Mode;
      readonly scope: Scope;
      readonly ttlMs: number;
      readonly timeoutMs: number;
      readonly extending: boolean;
      /** How long it is held; `Infinity`: its agent forgets it. */
      readonly holdMs: number;
      /** How long after the grant it is extended for long, shortly before it expires. */
      readonly extendAfterMs?: number;
      /** Somebody else asks for the same through another process, so long before the lock expires. */
      readonly rival?: { readonly process: number; readonly agentId: string; readonly beforeMs: number };
      /** When the caller changes its mind. */
      readonly abortMs: number | undefined;
      /** As work under a lock. */
      readonly isWork: boolean;
    }
  | { readonly kind: "release"; readonly at: number; readonly which: number; readonly how: ReleaseHow }
  | {
      readonly kind: "extend";
      readonly at: number;
      readonly which: number;
      readonly ttlMs: number;
      readonly byId: boolean;
    }
  | { readonly kind: "revoke"; readonly at: number; readonly process: number; readonly path: string }
  | {
      readonly kind: "look";
      readonly at: number;
      readonly process: number;
      readonly what: Look;
      readonly path: string;
      readonly agentId: string;
    };

/** What happens to them. */
export type Disturbance =
  | { readonly kind: "die"; readonly at: number; readonly process: number; readonly backMs: number }
  | {
      readonly kind: "close";
      readonly at: number;
      readonly process: number;
      readonly release: boolean;
      readonly backMs: number;
    }
  | { readonly kind: "stop"; readonly at: number; readonly process: number; readonly forMs: number }
  | {
      readonly kind: "down";
      readonly at: number;
      readonly process: number | undefined;
      readonly forMs: number;
    }
  | { readonly kind: "store clock"; readonly at: number; readonly ms: number }
  | { readonly kind: "wall clock"; readonly at: number; readonly process: number; readonly ms: number };

const agentKinds = new Set<Action["kind"]>(["acquire", "release", "extend", "revoke", "look"]);

export function isDisturbance(action: Action): action is Disturbance {
  return !agentKinds.has(action.kind);
}

export type ReleaseHow = "handle" | "id" | "id elsewhere" | "another id" | "another agent";
export type Look = "get" | "show" | "list" | "agent" | "count";

/** More ways to fill a second than there are: they come one by one, or in crowds. */
export function writeScript(weather: Weather): Action[] {
  const dice = new Dice(mix(weather.seed, 2));
  const actions: Action[] = [];
  let at = 0;
  while (actions.length < weather.actions) {
    at += dice.happens(0.3) ? 0 : dice.below(Math.round(weather.gapMs * 2.8));
    if (dice.happens(0.01)) at += 1_000 + dice.below(5_000);
    if (dice.happens(0.01)) actions.push(...crowd(weather, dice, at));
    else actions.push(...one(weather, dice, at));
  }
  return [...lastMoments(weather, actions), ...glances(weather, actions)].toSorted((a, b) => a.at - b.at);
}

/**
 * What happens at the very end of a lock, where others come too rarely: some are extended so late that the answer may come too late, and others are
 * asked for by somebody else when they have nearly expired.
 */
function lastMoments(weather: Weather, actions: readonly Action[]): Action[] {
  const dice = new Dice(mix(weather.seed, 5));
  return actions.map((action) => {
    if (action.kind !== "acquire" || action.extending || action.ttlMs > 5_000) return action;
    if (action.ttlMs <= 1_000 && dice.happens(0.25))
      return { ...action, holdMs: 8_000, extendAfterMs: action.ttlMs * dice.between(0.5, 1) };
    if (!dice.happens(0.25)) return action;
    const agentId = dice.pick(weather.agents.filter((one) => one !== action.agentId));
    const rival = { process: dice.below(weather.managers), agentId, beforeMs: 10 ** dice.between(-2, 1.5) };
    return { ...action, holdMs: 8_000, rival };
  });
}

/** Looks at agents while they change: others are too few to meet a change between two reads. */
function glances(weather: Weather, actions: readonly Action[]): Action[] {
  const dice = new Dice(mix(weather.seed, 4));
  return actions.flatMap((action) => {
    if (action.kind !== "acquire" || !dice.happens(0.1)) return [];
    const { agentId } = action;
    const at = Math.max(action.at + dice.below(60) - 40, 0);
    const process = dice.below(weather.managers);
    return [{ kind: "look", at, process, what: "agent", path: "/", agentId } as const];
  });
}

function one(weather: Weather, dice: Dice, at: number): Action[] {
  const process = dice.below(weather.managers);
  const { clockSteps, restarts, pauses, outages } = weather;
  if (restarts && dice.happens(0.01)) {
    const backMs = dice.pick([0, 0, 500, 12_000]);
    if (dice.happens(0.3)) return [{ kind: "close", at, process, release: dice.happens(0.5), backMs }];
    return [{ kind: "die", at, process, backMs }];
  }
  if (pauses && dice.happens(0.02)) {
    return [{ kind: "stop", at, process, forMs: dice.pick([5, 200, 1_500, 4_000, 15_000, 40_000]) }];
  }
  if (outages && dice.happens(0.01)) {
    const forMs = dice.pick([50, 400, 3_000, 12_000]);
    return [{ kind: "down", at, process: dice.happens(0.5) ? undefined : process, forMs }];
  }
  if (clockSteps && dice.happens(0.01)) {
    if (dice.happens(0.5)) return [{ kind: "store clock", at, ms: dice.pick([1, 300, 5_000, 60_000]) }];
    return [{ kind: "wall clock", at, process, ms: dice.pick([-3_600_000, -1_000, 1_000, 3_600_000]) }];
  }
  const throw_ = dice.next();
  const which = dice.below(1_000);
  if (throw_ < 0.7) return [acquire(weather, dice, at)];
  if (throw_ < 0.78) {
    const how = dice.pick<ReleaseHow>([
      "handle",
      "handle",
      "id",
      "id",
      "id elsewhere",
      "another id",
      "another agent",
    ]);
    return [{ kind: "release", at, which, how }];
  }
  if (throw_ < 0.87) {
    return [
      { kind: "extend", at, which, ttlMs: dice.pick([50, 1_000, 8_000, 30_000]), byId: dice.happens(0.4) },
    ];
  }
  if (throw_ < 0.89) return [{ kind: "revoke", at, process, path: dice.pick(weather.paths) }];
  const what = dice.pick<Look>(["get", "show", "list", "agent", "count"]);
  return [
    { kind: "look", at, process, what, path: dice.pick(weather.paths), agentId: dice.pick(weather.agents) },
  ];
}

function acquire(weather: Weather, dice: Dice, at: number): Action & { kind: "acquire" } {
  const { paths, agents } = weather;
  const several = dice.happens(0.15) ? 2 + dice.below(2) : 1;
  const isWork = dice.happens(0.05);
  const asked = new Set<string>();
  while (asked.size < (isWork ? 1 : several)) asked.add(dice.pick(paths));
  return {
    kind: "acquire",
    at,
    process: dice.below(weather.managers),
    agentId: dice.pick(agents),
    paths: [...asked],
    mode: dice.happens(0.3) ? "shared" : "exclusive",
    scope: dice.happens(0.12) ? "tree" : "resource",
    ttlMs: dice.pick([100, 1_000, 5_000, 20_000, 60_000, 600_000]),
    timeoutMs: dice.pick([0, 300, 2_000, 5_000, 5_000, 20_000, Infinity]),
    extending: isWork || dice.happens(0.1),
    holdMs: dice.pick([0, 0, 5, 50, 200, 500, 2_000, 8_000, Infinity]),
    abortMs: dice.happens(0.12) ? dice.pick([0, 0.1, 1, 3, 30, 500, 3_000]) : undefined,
    isWork,
  };
}

/** Somebody runs wild against the limits, or many want the same at once. */
function crowd(weather: Weather, dice: Dice, at: number): Action[] {
  const first = acquire(weather, dice, at);
  const sameAgent = dice.happens(0.5);
  return Array.from({ length: 5 + dice.below(20) }, () => {
    const other = acquire(weather, dice, at);
    return sameAgent ? { ...other, agentId: first.agentId } : { ...other, paths: first.paths, isWork: false };
  });
}
