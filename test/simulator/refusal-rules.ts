/** A refusal is true: whoever it names was in the way while the call lasted. */
import type { LockError } from "../../src/errors.js";
import { comesBefore, type TrueWaiter } from "./deed.js";
import type { Call, Ledger } from "./ledger.js";
import type { Report } from "./store-rules.js";
import type { Truth } from "./truth.js";

/** From one revision to another. */
interface Span {
  readonly from: number;
  readonly to: number;
}

export function checkHeld(truth: Truth, call: Call, error: LockError, report: Report): void {
  for (const { agentId, resourcePath, standing } of error.facts.conflicts ?? []) {
    const spans =
      standing === "holder" ? holds(truth, agentId, resourcePath) : waits(truth, agentId, resourcePath);
    if (!spans.some(({ to }) => to >= call.since))
      report("I6", `${call.agentId} was refused for ${agentId} on ${resourcePath}, who was not there`);
  }
}

/**
 * Every edge of the cycle existed at one revision, and the one refused was the youngest in it: every other member is older, so that it is the only
 * one who can find that cycle (invariant I19).
 */
export function checkCycle(
  truth: Truth,
  { callOf }: Pick<Ledger, "callOf">,
  call: Call,
  error: LockError,
  report: Report,
): void {
  const cycle = error.facts.cycle ?? [];
  const [first, last] = [cycle[0], cycle.at(-1)];
  const isRing = first?.agentId === call.agentId && last?.blockedBy === call.agentId;
  // A call that queued again has ids that were made later.
  const own = waitersOf(truth, call.agentId, first?.waitsFor).filter(
    ({ lockId }) => (callOf.get(lockId) ?? call) === call,
  );
  if (!isRing || !own.some((mine) => isClosedBy(truth, mine, cycle)))
    report(
      "I19",
      `${call.agentId} was refused for a deadlock that was none, or not its own: ${JSON.stringify(cycle)}`,
    );
}

/** There was a moment at which all edges were there, and all other members were older. */
function isClosedBy(
  truth: Truth,
  mine: TrueWaiter,
  cycle: NonNullable<LockError["facts"]["cycle"]>,
): boolean {
  const edges = cycle.map(({ agentId, waitsFor, blockedBy }, index) => {
    const members =
      index === 0 ? [mine] : waitersOf(truth, agentId, waitsFor).filter((one) => comesBefore(one, mine));
    return overlaps(members.map(spanOf), standings(truth, blockedBy));
  });
  const moments = edges.flat().map(({ from }) => from);
  return moments.some((moment) =>
    edges.every((spans) => spans.some(({ from, to }) => from <= moment && moment < to)),
  );
}

function holds(truth: Truth, agentId: string, path: string | undefined): Span[] {
  return (truth.had.get(agentId) ?? [])
    .filter((lock) => path === undefined || lock.path === path)
    .map((lock) => ({ from: lock.token, to: lock.endedAt ?? Infinity }));
}

function waits(truth: Truth, agentId: string, path: string | undefined): Span[] {
  return waitersOf(truth, agentId, path).map(spanOf);
}

function waitersOf(truth: Truth, agentId: string, path: string | undefined): TrueWaiter[] {
  return (truth.waited.get(agentId) ?? []).filter((waiter) => path === undefined || waiter.path === path);
}

function spanOf({ since, endedAt }: TrueWaiter): Span {
  return { from: since, to: endedAt ?? Infinity };
}

function standings(truth: Truth, agentId: string): Span[] {
  return [...holds(truth, agentId, undefined), ...waits(truth, agentId, undefined)];
}

function overlaps(some: readonly Span[], others: readonly Span[]): Span[] {
  return some.flatMap((one) =>
    others
      .map((other) => ({ from: Math.max(one.from, other.from), to: Math.min(one.to, other.to) }))
      .filter(({ from, to }) => from < to),
  );
}
