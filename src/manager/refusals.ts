/** Turns the core's refusals into errors that say what, who, why, until when, and what to do next. */
import type { Blocker } from "../core/blockers.js";
import type { Request } from "../core/claim.js";
import type { Edge } from "../core/deadlock.js";
import type { Refusal } from "../core/grant.js";
import type { Holder } from "../core/records.js";
import type { LockName } from "../core/release.js";
import { formatDuration } from "../duration.js";
import { afterLoss, type Conflict, LockError } from "../errors.js";

export interface RefusalContext {
  readonly waitedMs: number;
  /** Store time. */
  readonly now: number;
}

export function refusalError(request: Request, refusal: Refusal, context: RefusalContext): LockError {
  switch (refusal.kind) {
    case "held":
      return heldByOthers(request, refusal.blockers, refusal.queueLength, context);
    case "mismatch":
      return mismatched(request, refusal.path, refusal.holder);
    case "too many locks":
      return tooManyLocks(request, refusal);
    case "too many waiters":
      return tooManyWaiters(request, refusal);
  }
}

/** Nobody could be named: the time was up before the store had answered, or just as the turn had come. */
export function timedOut(request: Request, context: RefusalContext): LockError {
  return heldByOthers(request, [], 0, context);
}

export function heldByOthers(
  request: Request,
  blockers: readonly Blocker[],
  queueLength: number,
  { waitedMs, now }: RefusalContext,
): LockError {
  const conflicts = blockers.map(conflictOf);
  const first = conflicts[0];
  const waited = waitedMs === 0 ? "" : ` after waiting ${formatDuration(waitedMs)}`;
  const who = first === undefined ? "its turn did not come in time" : describe(first, now);
  const others =
    queueLength > 0 ? `; ${queueLength} ${queueLength === 1 ? "claim waits" : "claims wait"}` : "";
  return new LockError("held", `Cannot acquire ${named(request)}${waited}: ${who}${others}.`, {
    ...about(request),
    conflicts,
    queueLength,
    waitedMs,
    next: ["Work on something that is free.", "Wait for it: acquire again with a longer timeout."],
  });
}

function describe(conflict: Conflict, now: number): string {
  const { agentId, standing, resourcePath, reason, expiresAt } = conflict;
  const what =
    standing === "holder" ? `held by ${quote(agentId)}` : `${quote(agentId)} is ahead in the queue`;
  const where = ` on ${quote(resourcePath)}`;
  const why = reason === undefined ? "" : ` for ${quote(reason)}`;
  const until =
    expiresAt === undefined
      ? ""
      : `, until ${expiresAt.toISOString()} (in ${formatDuration(Math.max(expiresAt.getTime() - now, 0))}) unless extended`;
  return what + where + why + until;
}

export function conflictOf(blocker: Blocker): Conflict {
  if (blocker.standing === "holder") {
    const { agentId, mode, scope, reason, acquiredAt, expiresAt } = blocker.holder;
    return {
      resourcePath: blocker.path,
      agentId,
      mode,
      scope,
      standing: "holder",
      ...(reason === undefined ? {} : { reason }),
      since: new Date(acquiredAt),
      expiresAt: new Date(expiresAt),
    };
  }
  const { agentId, mode, scope, reason, since } = blocker.waiter;
  return {
    resourcePath: blocker.path,
    agentId,
    mode,
    scope,
    standing: "waiter",
    ...(reason === undefined ? {} : { reason }),
    since: new Date(since),
  };
}

function mismatched(request: Request, path: string, holder: Holder): LockError {
  const field = holder.mode === request.mode ? "scope" : "mode";
  const allowed = `${quote(holder[field])}, as the agent already holds ${quote(path)} that way; release it first`;
  return new LockError("invalid", `Invalid ${field} ${quote(request[field])}: expected ${allowed}.`, {
    ...about(request),
    resourcePath: path,
    field,
    value: quote(request[field]),
    allowed,
    lockId: holder.lockId,
    next: ["Release the lock, then acquire it the other way."],
  });
}

function tooManyLocks(request: Request, refusal: Refusal & { kind: "too many locks" }): LockError {
  const oldestLocks = refusal.oldest.map(({ path, holder }) => ({
    resourcePath: path,
    lockId: holder.lockId,
    expiresAt: new Date(holder.expiresAt),
  }));
  const oldest = oldestLocks[0];
  const which = oldest === undefined ? "" : `; the oldest is ${quote(oldest.resourcePath)}`;
  return new LockError(
    "limit_exceeded",
    `Cannot acquire ${named(request)}: agent ${quote(request.agentId)} would hold more than its limit of ${refusal.limit} locks${which}.`,
    {
      ...about(request),
      limit: refusal.limit,
      oldestLocks,
      next: ["Release a lock that is no longer needed, then acquire again."],
    },
  );
}

function tooManyWaiters(request: Request, refusal: Refusal & { kind: "too many waiters" }): LockError {
  const whose = refusal.of === "agent" ? `agent ${quote(request.agentId)}` : quote(refusal.path);
  return new LockError(
    "limit_exceeded",
    `Cannot wait for ${named(request)}: ${whose} already has ${refusal.limit} waiting claims, the most allowed.`,
    {
      ...about(request),
      resourcePath: refusal.path,
      limit: refusal.limit,
      next: ["Try again later, or wait for fewer resources at a time."],
    },
  );
}

export function deadlocked(request: Request, cycle: readonly Edge[]): LockError {
  const story = cycle
    .map((edge) => `${quote(edge.agentId)} waits for ${quote(edge.waitsFor)} behind ${quote(edge.blockedBy)}`)
    .join(", ");
  return new LockError(
    "deadlock",
    `Cannot wait for ${named(request)}: nobody could ever go on, for ${story}.`,
    {
      ...about(request),
      cycle,
      next: ["Release what the others wait for, then acquire again.", "Acquire all resources in one call."],
    },
  );
}

export function aborted(request: Request, cause: unknown, waitedMs: number): LockError {
  return new LockError(
    "aborted",
    `The acquire of ${named(request)} was aborted by its caller.`,
    { ...about(request), waitedMs },
    { cause },
  );
}

export function closedError(): LockError {
  return new LockError("closed", "The lock manager is closed.", {
    next: ["Create another lock manager."],
  });
}

function about(request: Request): { resourcePath: string; agentId: string } {
  return { resourcePath: firstPath(request), agentId: request.agentId };
}

function firstPath(request: Request): string {
  return request.claims[0]?.resource.path ?? "/";
}

function named(request: Request): string {
  const more = request.claims.length - 1;
  return more === 0 ? quote(firstPath(request)) : `${quote(firstPath(request))} and ${more} more`;
}

export function notHolder(call: "release" | "extend", name: LockName, holder: Holder): LockError {
  const path = quote(name.resource.path);
  return new LockError(
    "not_holder",
    `Cannot ${call} ${path}: the lock ${quote(name.lockId)} is held by ${quote(holder.agentId)}, not by ${quote(name.agentId)}.`,
    {
      resourcePath: name.resource.path,
      agentId: name.agentId,
      lockId: name.lockId,
      next: ["Use the agent id that acquired the lock.", "An operator can force its release."],
    },
  );
}

/** `expiredAt`: when, if the lock is still remembered. */
export function lostError(
  call: "extend",
  name: LockName,
  expiredAt: number | undefined,
  now: number,
): LockError {
  const why =
    expiredAt === undefined
      ? "nothing is in force under this lock id; it expired, was released, or was never acquired"
      : `the lock expired ${formatDuration(Math.max(now - expiredAt, 0))} ago`;
  return new LockError("lost", `Cannot ${call} ${quote(name.resource.path)}: ${why}.`, {
    resourcePath: name.resource.path,
    agentId: name.agentId,
    lockId: name.lockId,
    next: afterLoss,
  });
}

/** In quotes, with control characters escaped, for terminals and logs. */
export function quote(text: string): string {
  return JSON.stringify(text);
}
