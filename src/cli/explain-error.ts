/** Refusals in words: what, who, why, until when, what next. */

import { formatDuration } from "../duration.js";
import { type Conflict, type ErrorCode, LockError } from "../errors.js";
import { CommandError, Interrupted } from "./command-error.js";
import { exitCodes } from "./exit-codes.js";
import { type Fact, facts } from "./fact-lines.js";
import { escapeControls, printable } from "./printable.js";
import { timeSince, timeUntil } from "./times.js";

const shownConflicts = 3;
const shownWaitMs = 100;

export function exitCodeOf(error: unknown): number {
  if (error instanceof LockError || error instanceof CommandError || error instanceof Interrupted)
    return error.exitCode;
  return exitCodes.bug;
}

/** The message, and below it one line for each fact. */
export function explainError(error: unknown, options: { now: Date; verbose: boolean }): string {
  if (error instanceof LockError) {
    const message = escapeControls(error.message);
    const lines = facts([...lockFacts(error, options.now), ...nextFacts(nextOf(error))]);
    return [message, ...lines, ...(options.verbose ? causes(error) : [])].join("\n");
  }
  if (error instanceof CommandError) {
    const lines = [escapeControls(error.message), ...facts(nextFacts(error.next))];
    return [...lines, ...(options.verbose ? causes(error) : [])].join("\n");
  }
  if (error instanceof Interrupted) return error.message;
  return bug(error, options.verbose);
}

function lockFacts(error: LockError, now: Date): Fact[] {
  const { conflicts = [], queueLength, waitedMs, oldestLocks = [], cycle = [] } = error.facts;
  const lines: Fact[] = conflicts
    .slice(0, shownConflicts)
    .flatMap((each) => conflictFacts(each, error.facts.resourcePath, now));
  if (conflicts.length > shownConflicts)
    lines.push(["and by", `${conflicts.length - shownConflicts} others`]);
  if (queueLength !== undefined && queueLength > 0)
    lines.push(["waiting", queueLength === 1 ? "1 claim" : `${queueLength} claims`]);
  if (waitedMs !== undefined && waitedMs >= shownWaitMs) lines.push(["waited", formatDuration(waitedMs)]);
  for (const lock of oldestLocks.slice(0, shownConflicts))
    lines.push(["has", `${printable(lock.resourcePath, 1024)}   expires ${timeUntil(lock.expiresAt, now)}`]);
  for (const edge of cycle)
    lines.push([
      "cycle",
      `${printable(edge.agentId)} waits for ${printable(edge.waitsFor)}, blocked by ${printable(edge.blockedBy)}`,
    ]);
  return lines;
}

/** Who is in the way, for what reason, since when and until when. */
export function conflictFacts(conflict: Conflict, askedPath: string | undefined, now: Date): Fact[] {
  const { agentId, reason, since, expiresAt, standing } = conflict;
  const why = reason === undefined ? "" : ` for "${printable(reason)}"`;
  const where = `${conflict.resourcePath}${conflict.scope === "tree" ? " and all below" : ""}, ${conflict.mode}`;
  const asExpected = conflict.resourcePath === askedPath && conflict.scope === "resource";
  const lines: Fact[] = [
    [standing === "holder" ? "held by" : "behind", `${printable(agentId)}${why}`],
    ...(asExpected ? [] : [["on", printable(where, 1100)] as const]),
  ];
  const times = [
    ...(since ? [`${timeSince(since, now)}`] : []),
    ...(expiresAt ? [`expires ${timeUntil(expiresAt, now)} unless extended`] : []),
  ];
  if (times.length > 0) lines.push([since ? "since" : "", times.join("   ")]);
  return lines;
}

function nextFacts(next: readonly string[]): Fact[] {
  return next.map((step) => ["next", escapeControls(step)]);
}

/** What the command line has to offer, else what the refusal itself advises. */
function nextOf(error: LockError): readonly string[] {
  const path = error.facts.resourcePath ?? "PATH";
  const advice: Readonly<Partial<Record<ErrorCode, string>>> = {
    held: `Wait longer, with --timeout or for ever without it; \`engram-lock show ${path}\` shows who is there.`,
    limit_exceeded: "Give something back: `engram-lock ls --mine`, then `engram-lock release PATH`.",
    deadlock: "Give back what you hold, and take all of it together in one `acquire`.",
    lost: "Stop what the lock protects; then acquire it again.",
    store_unavailable: "Check that the store or the server can be reached, and try again.",
    outcome_unknown: `It may have been done: look at it with \`engram-lock show ${path}\` before you go on.`,
  };
  const own = advice[error.code];
  return own === undefined ? (error.facts.next ?? []) : [own];
}

function bug(error: unknown, verbose: boolean): string {
  const message = error instanceof Error ? error.message : String(error);
  const trace = error instanceof Error && error.stack !== undefined ? error.stack : message;
  return verbose
    ? `This is a bug in engram-lock, please report it.\n${trace}`
    : `${escapeControls(message)}\n${facts([["next", "This is a bug in engram-lock: please report it, with what --verbose shows."]]).join("\n")}`;
}

function causes(error: Error): string[] {
  const lines: string[] = [];
  for (let cause = error.cause; cause instanceof Error && lines.length < 5; cause = cause.cause)
    lines.push(...facts([["because", escapeControls(cause.message)]]));
  return lines;
}
