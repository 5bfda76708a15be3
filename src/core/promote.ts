/** What becomes of a request that waits: its turn, its withdrawal, and the certainty that nothing is left of it. */

import { shownBlockers } from "./acquire.js";
import { type Blocker, ticketOf, visitBlockers, waitingAt, waitsOf } from "./blockers.js";
import type { Request, Ticket } from "./claim.js";
import {
  findMismatch,
  grant,
  type Limits,
  locksOf,
  notYetHeld,
  numbered,
  overLimit,
  type Refusal,
  recovered,
} from "./grant.js";
import { aboutHolder, aboutWaiter } from "./happening.js";
import { type Granted, ownHolder, rewrite } from "./holding.js";
import { leave, type Promoted, tidyFront } from "./queue.js";
import type { Holder } from "./records.js";
import { release } from "./release.js";
import { asWaiter, type Found, type View } from "./view.js";

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
  if (ticket === undefined) return settledElsewhere(view, request, places);
  const until = blockedUntil(view, request, places, ticket);
  if (until !== undefined) return { kind: "waiting", until };

  const fresh = notYetHeld(view, request);
  const refusal = findMismatch(view, request) ?? overLimit(view, request, fresh, limits.maxLocksPerAgent);
  const passes = request.claims.map(({ resource: { path } }, index) => isPassing(view, path, places[index]));
  leaveAll(view, request, places, refusal?.kind);
  for (const [index, { resource }] of request.claims.entries()) {
    const left = places[index];
    if (left !== undefined && passes[index]) tidyFront(view, request, resource.path, left);
  }
  return refusal ?? grant(view, request);
}

/** Somebody is, or was, ahead of it. */
function isPassing(view: View, path: string, n = 0): boolean {
  return n > (view.lock(path)?.queue?.head ?? n);
}

/** When the first lock in the way expires, `Infinity` when an earlier waiter is in the way, `undefined` when nothing is. */
function blockedUntil(
  view: View,
  request: Request,
  places: readonly number[],
  ticket: Ticket,
): number | undefined {
  let until: number | undefined;
  for (const [index, claim] of request.claims.entries()) {
    visitBlockers(view, request, claim, { ticket, n: places[index] ?? 0 }, (blocker) => {
      const freeAt = blocker.standing === "holder" ? blocker.holder.expiresAt : Infinity;
      until = Math.min(until ?? Infinity, freeAt);
      return blocker.standing === "waiter";
    });
  }
  return until;
}

export type WithdrawReply =
  /** Out of the queue; `blockers` were still in the way. `rest`: it was out before, and part of what it was granted may still be there. */
  | {
      readonly kind: "gone";
      readonly blockers: readonly Blocker[];
      readonly queueLength: number;
      readonly rest: boolean;
    }
  /** Too late: it was granted before. */
  | { readonly kind: "granted"; readonly granted: readonly Granted[] };

/** Takes a waiting request out of its queues. */
export function withdraw(
  view: View,
  request: Request,
  places: readonly number[],
  cause: string,
): WithdrawReply {
  const ticket = ticketIn(view, request, places);
  if (ticket === undefined) {
    const elsewhere = settledElsewhere(view, request, places);
    return elsewhere.kind === "granted"
      ? elsewhere
      : { kind: "gone", blockers: [], queueLength: 0, rest: true };
  }
  const blockers: Blocker[] = [];
  for (const [index, claim] of request.claims.entries()) {
    visitBlockers(view, request, claim, { ticket, n: places[index] ?? 0 }, (blocker) => {
      return blockers.push(blocker) >= shownBlockers;
    });
  }
  // To leave, it does not matter who is in the way.
  view.forgetRanges();
  leaveAll(view, request, places, cause);
  const queueLength = request.claims
    .map((claim) => view.lock(claim.resource.path)?.queue?.waiting ?? 0)
    .reduce((sum, waiting) => sum + waiting, 0);
  return { kind: "gone", blockers: blockers.slice(0, shownBlockers), queueLength, rest: false };
}

/**
 * Removes whatever is left of a request, waiter or lock, after a grant that could not be delivered or an attempt whose outcome was never learned.
 *
 * @param told whether its grant was told of before; if not, it is told of now, so that every lock that ended has begun.
 */
export function retire(view: View, request: Request, told: boolean, maxLocks: number): readonly Promoted[] {
  const waits = waitsOf(view, request.agentId);
  const promoted: Promoted[] = [];
  for (const claim of request.claims) {
    const { path } = claim.resource;
    const place = waits.get(claim.lockId);
    const found = place === undefined ? undefined : waitingAt(view, path, place.n, claim.lockId);
    if (place !== undefined && found !== undefined) {
      leaveOne(view, path, place.n, found, "abandoned");
    }
    const holder = ownHolder(view, path, request.agentId);
    const isFirst = holder?.lockId === claim.lockId;
    if (holder === undefined || (!isFirst && holder.joined !== claim.lockId)) continue;
    if (isFirst && !told && !holder.abandoned) {
      view.tell(aboutHolder("acquired", path, holder, view.lockRevision(path)));
    }
    if (isFirst ? holder.joined : !holder.abandoned) {
      leaveToOther(view, path, holder, isFirst);
      continue;
    }
    const { lockId } = holder;
    const reply = release(view, { resource: claim.resource, agentId: request.agentId, lockId }, maxLocks);
    if (reply.kind === "released") promoted.push(...reply.promoted);
  }
  return promoted;
}

/** Another call relies on the lock: it stays, and goes when that call is retired as well. */
function leaveToOther(view: View, path: string, holder: Holder, isFirst: boolean): void {
  if (!isFirst) rewrite(view, path, { ...holder, joined: undefined });
  else if (!holder.abandoned) rewrite(view, path, { ...holder, abandoned: true });
}

/** The ticket of a waiting request, or nothing when it has left the queue. */
export function ticketIn(view: View, request: Request, places: readonly number[]): Ticket | undefined {
  let ticket: Ticket | undefined;
  for (const [index, claim] of request.claims.entries()) {
    const found = waitingAt(view, claim.resource.path, places[index] ?? 0, claim.lockId);
    if (found === undefined) return undefined;
    ticket ??= ticketOf(found);
  }
  return ticket;
}

/** A request that is not in all its queues any more: granted, or else swept, and what is left of it leaves too. */
function settledElsewhere(
  view: View,
  request: Request,
  places: readonly number[],
): { readonly kind: "gone" } | { readonly kind: "granted"; readonly granted: readonly Granted[] } {
  const had = locksOf(view, request);
  if (had === undefined) {
    leaveAll(view, request, places, "abandoned");
    return { kind: "gone" };
  }
  const granted = had.map(({ path, holder }, index) =>
    holder.lockId === request.claims[index]?.lockId
      ? recovered(view, path, holder)
      : { path, holder: numbered(view, path, holder) },
  );
  return { kind: "granted", granted };
}

function leaveAll(view: View, request: Request, places: readonly number[], cause: string | undefined): void {
  for (const [index, claim] of request.claims.entries()) {
    const n = places[index] ?? 0;
    const { path } = claim.resource;
    const found = waitingAt(view, path, n, claim.lockId);
    if (found !== undefined) leaveOne(view, path, n, found, cause);
  }
}

/** `cause`: why it leaves without a lock; those behind may have their turn then. */
function leaveOne(view: View, path: string, n: number, found: Found, cause: string | undefined): void {
  const waiter = asWaiter(found);
  leave(view, path, n, found.key, waiter);
  if (cause === undefined) return;
  view.tell(aboutWaiter("dequeued", path, waiter, cause));
  // Also when the queue is empty now: a tree that waits above may have stood behind this one.
  view.announce(path);
}
