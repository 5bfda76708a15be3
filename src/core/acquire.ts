/** Asking for a lock: granted, queued, or refused. */
import { type Blocker, visitBlockers, visitEarlier, visitHolders, waitingAt, waitsOf } from "./blockers.js";
import type { Claim, Request } from "./claim.js";
import { findMismatch, grant, type Limits, locksOf, notYetHeld, overLimit, type Refusal } from "./grant.js";
import { aboutWaiter } from "./happening.js";
import type { Granted } from "./holding.js";
import { placeOfWaitKey } from "./keys.js";
import { join } from "./queue.js";
import type { ResourcePath } from "./resource-path.js";
import { asWaiter, type Found, type View } from "./view.js";

export type AcquireReply =
  | { readonly kind: "granted"; readonly granted: readonly Granted[] }
  | Queued
  | Refusal;

export interface Queued {
  readonly kind: "queued";
  /** The number in the queue of each claim. */
  readonly places: readonly number[];
  /** When the first of the locks in the way expires; `Infinity` when waiters are in the way; `-Infinity` when it is to look for its turn at once. */
  readonly until: number;
  /** The agent holds or awaits something else, so that others may come to wait for it in turn. */
  readonly entangled: boolean;
}

/** How a request would wait. */
export interface Wait {
  /** null: for ever. */
  readonly until: number | null;
  /** Behind whoever waits on its own path, without reading who that is: others keep being faster. It looks for its turn afterwards. */
  readonly blindly?: boolean;
}

/** What a refusal shows; the first one is the one to wait for. */
export const shownBlockers = 10;

/**
 * Grants the request now, or queues it behind whom it conflicts with, or refuses it when it does not wait.
 *
 * A newcomer also waits behind conflicting *waiters*: without that, a steady stream of readers would starve a writer for ever (invariant I6).
 *
 * @param wait `undefined` when it does not wait.
 */
export function acquire(view: View, request: Request, limits: Limits, wait: Wait | undefined): AcquireReply {
  const mismatch = findMismatch(view, request);
  if (mismatch !== undefined) return mismatch;
  const fresh = notYetHeld(view, request);
  const freeAt = blockedUntil(view, request, fresh, wait?.blindly === true);
  if (freeAt === undefined) {
    return overLimit(view, request, fresh, limits.maxLocksPerAgent) ?? grant(view, request);
  }
  return wait === undefined ? held(view, request, fresh) : enqueue(view, request, limits, wait.until, freeAt);
}

/**
 * When the first lock in the way expires, `Infinity` when only waiters are in the way, `-Infinity` when that was not looked at, `undefined` when nothing
 * is. A lock in the way is enough to know, and saves reading the queue.
 */
function blockedUntil(
  view: View,
  request: Request,
  claims: readonly Claim[],
  blindly: boolean,
): number | undefined {
  let until: number | undefined;
  for (const claim of claims) {
    visitHolders(view, request, claim, ({ holder }) => {
      until = Math.min(until ?? Infinity, holder.expiresAt);
      return false;
    });
  }
  if (until !== undefined) return until;
  if (blindly && request.mode === "exclusive" && claims.some(({ resource }) => isWaitedFor(view, resource)))
    return -Infinity;
  const waited = claims.some((claim) => visitEarlier(view, request, claim, undefined, () => true));
  return waited ? Infinity : undefined;
}

function isWaitedFor(view: View, { path }: ResourcePath): boolean {
  return (view.lock(path)?.queue?.waiting ?? 0) > 0;
}

function held(view: View, request: Request, claims: readonly Claim[]): Refusal {
  const blockers: Blocker[] = [];
  let queueLength = 0;
  for (const claim of claims) {
    visitBlockers(view, request, claim, undefined, (blocker) => blockers.push(blocker) >= shownBlockers);
    queueLength += view.lock(claim.resource.path)?.queue?.waiting ?? 0;
  }
  return { kind: "held", blockers: blockers.slice(0, shownBlockers), queueLength };
}

/** Queues all claims, also those the agent already holds: by the time of its turn it may have lost them. */
function enqueue(
  view: View,
  request: Request,
  limits: Limits,
  giveUpAt: number | null,
  until: number,
): AcquireReply {
  // Whether something below a tree is still in the way is seen when the waiter is planned once more.
  view.forgetRanges();
  const { maxWaitersPerAgent, maxWaitersPerResource } = limits;
  for (const { resource } of request.claims) {
    if ((view.lock(resource.path)?.queue?.waiting ?? 0) >= maxWaitersPerResource) {
      return { kind: "too many waiters", of: "resource", path: resource.path, limit: maxWaitersPerResource };
    }
  }
  const agent = view.agent(request.agentId);
  if (agent.waits + request.claims.length > maxWaitersPerAgent) {
    const path = request.claims[0]?.resource.path ?? "/";
    return { kind: "too many waiters", of: "agent", path, limit: maxWaitersPerAgent };
  }
  const places = request.claims.map((claim) => join(view, request, claim, giveUpAt));
  return { kind: "queued", places, until, entangled: agent.locks > 0 || agent.waits > 0 };
}

/** Neither the places nor the locks of a request are all there. */
export interface NothingLeft {
  readonly kind: "nothing left";
}

/**
 * What came of an earlier attempt whose reply was lost. What it was granted may also have ended since, or a part of it; then its lock ids must not be used again (invariant I3).
 */
export function resume(view: View, request: Request): AcquireReply | NothingLeft {
  const queued = findQueued(view, request);
  if (queued !== undefined) return queued;
  return locksOf(view, request) === undefined ? { kind: "nothing left" } : grant(view, request);
}

function findQueued(view: View, request: Request): Queued | undefined {
  const waits = waitsOf(view, request.agentId);
  const places: number[] = [];
  const found: Found[] = [];
  for (const claim of request.claims) {
    const place = waits.get(claim.lockId);
    const waiting = place && waitingAt(view, claim.resource.path, place.n, claim.lockId);
    if (place === undefined || waiting === undefined) return undefined;
    places.push(place.n);
    found.push(waiting);
  }
  for (const one of found) view.tell(aboutWaiter("queued", placeOfWaitKey(one.key).path, asWaiter(one)));
  // Nothing else is known of that attempt, so it is looked at again.
  return { kind: "queued", places, until: -Infinity, entangled: true };
}
