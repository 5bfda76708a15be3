/** Asking for a lock: granted, queued, or refused. */
import { type Blocker, hasExpired, visitBlockers, visitHolders, waitingAt } from "./blockers.js";
import type { Claim, Request, Ticket } from "./claim.js";
import { aboutHolder, aboutWaiter } from "./happening.js";
import { drop, type Granted, hold, ownHolder, prolong } from "./holding.js";
import { agentKey, agentLocks, lockKey, pathOfAgentLockKey } from "./keys.js";
import { join, leave } from "./queue.js";
import type { Holder } from "./records.js";
import { agentAt, asWaiter, lockAt, type View } from "./view.js";

export interface Limits {
  readonly maxLocksPerAgent: number;
  readonly maxWaitersPerAgent: number;
  readonly maxWaitersPerResource: number;
}

export type Refusal =
  | { readonly kind: "held"; readonly blockers: readonly Blocker[]; readonly queueLength: number }
  /** The agent holds the path in another mode or scope, which it would have to give up first. */
  | { readonly kind: "mismatch"; readonly path: string; readonly holder: Holder }
  | { readonly kind: "too many locks"; readonly limit: number; readonly oldest: readonly Granted[] }
  | { readonly kind: "too many waiters"; readonly of: "agent" | "resource"; readonly path: string; readonly limit: number };

export type AcquireReply =
  | { readonly kind: "granted"; readonly granted: readonly Granted[] }
  | { readonly kind: "queued"; readonly places: readonly number[] }
  | Refusal;

/** What a refusal shows; the first one is the one to wait for. */
const shownBlockers = 10;
const shownLocks = 5;

/**
 * Grants the request now, or queues it behind whom it conflicts with, or refuses it when it does not wait.
 *
 * A newcomer also waits behind conflicting *waiters*: without that, a steady stream of readers would starve a writer for ever (invariant I6).
 *
 * @param wait until when it may wait (null: for ever); `undefined` when it does not wait.
 */
export function acquire(
  view: View,
  request: Request,
  limits: Limits,
  wait: { readonly until: number | null } | undefined,
): AcquireReply {
  const mismatch = findMismatch(view, request);
  if (mismatch !== undefined) return mismatch;
  const fresh = notYetHeld(view, request);
  if (!isBlocked(view, request, fresh, wait !== undefined)) {
    return overLimit(view, request, fresh, limits.maxLocksPerAgent) ?? grant(view, request);
  }
  return wait === undefined ? held(view, request, fresh) : enqueue(view, request, limits, wait.until);
}

function findMismatch(view: View, request: Request): Refusal | undefined {
  for (const claim of request.claims) {
    const holder = ownHolder(view, claim.resource.path, request.agentId);
    if (holder !== undefined && (holder.mode !== request.mode || holder.scope !== request.scope)) {
      return { kind: "mismatch", path: claim.resource.path, holder };
    }
  }
  return undefined;
}

function notYetHeld(view: View, request: Request): readonly Claim[] {
  return request.claims.filter((claim) => ownHolder(view, claim.resource.path, request.agentId) === undefined);
}

/** A claim that can wait need not know behind whom: a lock in the way is enough, and saves reading the queue. */
function isBlocked(view: View, request: Request, claims: readonly Claim[], canWait: boolean): boolean {
  if (canWait && claims.some((claim) => visitHolders(view, request, claim, () => true))) return true;
  return claims.some((claim) => visitBlockers(view, request, claim, undefined, () => true));
}

/** Grants all claims in one change: those the agent has already are only prolonged, never shortened, and cost no quota. */
function grant(view: View, request: Request): { kind: "granted"; granted: readonly Granted[] } {
  const granted = request.claims.map((claim) => {
    const { path } = claim.resource;
    const mine = ownHolder(view, path, request.agentId);
    if (mine === undefined) return hold(view, request, claim);
    if (mine.lockId === claim.lockId) return recovered(view, path, mine);
    const asked = view.latest + claim.ttlMs;
    return asked > mine.expiresAt
      ? prolong(view, path, mine, asked, claim.ttlMs)
      : { path, holder: numbered(view, path, mine) };
  });
  return { kind: "granted", granted };
}

/** An earlier attempt of this very request was granted, but its reply was lost, and with it what happened. */
function recovered(view: View, path: string, mine: Holder): Granted {
  const holder = numbered(view, path, mine);
  view.tell(aboutHolder("acquired", path, holder, 0));
  return { path, holder };
}

function numbered(view: View, path: string, holder: Holder): Holder {
  return holder.token === 0 ? { ...holder, token: view.revision(lockKey(path)) } : holder;
}

/**
 * The refusal when the agent would hold more than its limit. Only an agent at its limit has its locks looked at one by one: those that have expired
 * are dropped in the same change, so that they cost no quota (invariant I7).
 */
function overLimit(
  view: View,
  { agentId }: Request,
  fresh: readonly Claim[],
  limit: number,
): Refusal | undefined {
  const agent = agentKey(agentId);
  const more = fresh.length;
  if (more === 0) return undefined;
  if (agentAt(view, agent).locks + more <= limit) return undefined;
  const locks: Granted[] = [];
  for (const found of view.range(agentLocks(agent))) {
    const path = pathOfAgentLockKey(agent, found.key);
    const holder = lockAt(view, lockKey(path))?.holders.find((one) => one.agentId === agentId);
    if (holder === undefined) continue;
    if (hasExpired(view, holder)) dropOne(view, path, holder);
    else locks.push({ path, holder });
  }
  if (agentAt(view, agent).locks + more <= limit) return undefined;
  locks.sort((a, b) => a.holder.acquiredAt - b.holder.acquiredAt);
  return { kind: "too many locks", limit, oldest: locks.slice(0, shownLocks) };
}

function dropOne(view: View, path: string, holder: Holder): void {
  // A path with a queue must be handed on, which its own expiry does; here only the count matters.
  drop(view, path, holder);
  view.announce(path);
  view.tell(
    aboutHolder("expired", path, holder, view.revision(lockKey(path)), {
      endedAt: holder.expiresAt,
      cause: "takeover",
    }),
  );
}

function held(view: View, request: Request, claims: readonly Claim[]): Refusal {
  const blockers: Blocker[] = [];
  let queueLength = 0;
  for (const claim of claims) {
    visitBlockers(view, request, claim, undefined, (blocker) => blockers.push(blocker) >= shownBlockers);
    queueLength += lockAt(view, lockKey(claim.resource.path))?.queue?.waiting ?? 0;
  }
  return { kind: "held", blockers: blockers.slice(0, shownBlockers), queueLength };
}

/** Queues all claims, also those the agent already holds: by the time of its turn it may have lost them. */
function enqueue(view: View, request: Request, limits: Limits, until: number | null): AcquireReply {
  // Whether something below a tree is still in the way is seen when the waiter is planned once more.
  view.forgetRanges();
  const { maxWaitersPerAgent, maxWaitersPerResource } = limits;
  for (const { resource } of request.claims) {
    if ((lockAt(view, lockKey(resource.path))?.queue?.waiting ?? 0) >= maxWaitersPerResource) {
      return { kind: "too many waiters", of: "resource", path: resource.path, limit: maxWaitersPerResource };
    }
  }
  if (agentAt(view, agentKey(request.agentId)).waits + request.claims.length > maxWaitersPerAgent) {
    const path = request.claims[0]?.resource.path ?? "/";
    return { kind: "too many waiters", of: "agent", path, limit: maxWaitersPerAgent };
  }
  return { kind: "queued", places: request.claims.map((claim) => join(view, request, claim, until)) };
}

export type PromoteReply =
  | { readonly kind: "granted"; readonly granted: readonly Granted[] }
  /** Still blocked; unless something changes, until one of the locks in the way expires. */
  | { readonly kind: "waiting"; readonly until: number }
  /** No longer in the queue, and not granted either: swept as abandoned. */
  | { readonly kind: "gone" }
  | Refusal;

/** Grants a waiting request when its turn has come. At its limit it leaves the queue and is refused, and the next is served. */
export function promote(
  view: View,
  request: Request,
  places: readonly number[],
  limits: Limits,
): PromoteReply {
  const ticket = ticketIn(view, request, places);
  if (ticket === undefined) return settledElsewhere(view, request);

  let until = Infinity;
  const blocked = request.claims.some((claim, index) =>
    visitBlockers(view, request, claim, { ticket, n: places[index] ?? 0 }, (blocker) => {
      if (blocker.standing === "holder") until = Math.min(until, blocker.holder.expiresAt);
      return blocker.standing === "waiter";
    }) || until < Infinity,
  );
  if (blocked) return { kind: "waiting", until };

  const fresh = notYetHeld(view, request);
  const refusal = findMismatch(view, request) ?? overLimit(view, request, fresh, limits.maxLocksPerAgent);
  leaveAll(view, request, places, refusal === undefined ? undefined : refusal.kind);
  return refusal ?? grant(view, request);
}

export type WithdrawReply =
  /** Out of the queue. */
  | { readonly kind: "gone" }
  /** Too late: it was granted before. */
  | { readonly kind: "granted"; readonly granted: readonly Granted[] };

/** Takes a waiting request out of its queues. */
export function withdraw(
  view: View,
  request: Request,
  places: readonly number[],
  cause: string,
): WithdrawReply {
  if (ticketIn(view, request, places) !== undefined) {
    leaveAll(view, request, places, cause);
    return { kind: "gone" };
  }
  return settledElsewhere(view, request);
}

/** The ticket of a waiting request, or nothing when it has left the queue. */
export function ticketIn(view: View, request: Request, places: readonly number[]): Ticket | undefined {
  let ticket: Ticket | undefined;
  for (const [index, claim] of request.claims.entries()) {
    const found = waitingAt(view, claim.resource.path, places[index] ?? 0, claim.lockId);
    if (found === undefined) return undefined;
    ticket ??= { revision: found.revision, ordinal: asWaiter(found).ordinal, requestId: request.requestId };
  }
  return ticket;
}

function settledElsewhere(view: View, request: Request): WithdrawReply {
  const granted: Granted[] = [];
  for (const claim of request.claims) {
    const { path } = claim.resource;
    const holder = ownHolder(view, path, request.agentId);
    if (holder?.lockId !== claim.lockId) return { kind: "gone" };
    granted.push(recovered(view, path, holder));
  }
  return { kind: "granted", granted };
}

function leaveAll(
  view: View,
  request: Request,
  places: readonly number[],
  cause: string | undefined,
): void {
  for (const [index, claim] of request.claims.entries()) {
    const n = places[index] ?? 0;
    const { path } = claim.resource;
    const found = waitingAt(view, path, n, claim.lockId);
    if (found === undefined) continue;
    const waiter = asWaiter(found);
    leave(view, path, n, waiter);
    if (cause === undefined) continue;
    view.tell(aboutWaiter("dequeued", path, waiter, cause));
    // Those behind may have their turn now.
    if (request.scope === "tree" || lockAt(view, lockKey(path))?.queue !== undefined) view.announce(path);
  }
}

