/** A refusal is true: whoever it names was in the way while the call lasted. */
import type { LockError } from "../../src/errors.js";
import type { Call } from "./ledger.js";
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

/** Every edge of the cycle existed at one revision (invariant I19). */
export function checkCycle(truth: Truth, call: Call, error: LockError, report: Report): void {
  const cycle = error.facts.cycle ?? [];
  const edges = cycle.map(({ agentId, waitsFor, blockedBy }) =>
    overlaps(waits(truth, agentId, waitsFor), standings(truth, blockedBy)),
  );
  const last = cycle.at(-1);
  const isRing = last !== undefined && cycle[0]!.agentId === call.agentId && last.blockedBy === call.agentId;
  const moments = edges.flat().map(({ from }) => from);
  const isReal = moments.some((moment) =>
    edges.every((spans) => spans.some(({ from, to }) => from <= moment && moment < to)),
  );
  if (!isRing || !isReal)
    report("I19", `${call.agentId} was refused for a deadlock that was none: ${JSON.stringify(cycle)}`);
}

function holds(truth: Truth, agentId: string, path: string | undefined): Span[] {
  return (truth.had.get(agentId) ?? [])
    .filter((lock) => path === undefined || lock.path === path)
    .map((lock) => ({ from: lock.token, to: lock.endedAt ?? Infinity }));
}

function waits(truth: Truth, agentId: string, path: string | undefined): Span[] {
  return (truth.waited.get(agentId) ?? [])
    .filter((waiter) => path === undefined || waiter.path === path)
    .map((waiter) => ({ from: waiter.since, to: waiter.endedAt ?? Infinity }));
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
