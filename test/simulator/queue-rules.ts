/** Who is in whose way, by brute force over the truth: whose turn it is, and who waits for whom. */

import { comesBefore, type TrueLock, type TrueWaiter } from "./deed.js";
import { collide, type Region } from "./region.js";
import type { Truth } from "./truth.js";

/** A request that waits, on all its paths. */
export interface WaitingRequest {
  readonly places: readonly TrueWaiter[];
  readonly first: TrueWaiter;
}

export function waitingRequests(truth: Truth): WaitingRequest[] {
  return [...truth.requests.values()].map((places) => {
    const all = [...places];
    return { places: all, first: all[0]! };
  });
}

/** The earlier waiters alive that the claim has to let pass. */
function* earlierWaiters(
  truth: Truth,
  claim: Region,
  requestId: string,
  ticket: TrueWaiter | undefined,
): IterableIterator<TrueWaiter> {
  const own = [...(truth.locksOf.get(claim.agentId) ?? [])];
  for (const other of conflictingEarlier(truth, claim, requestId, ticket)) {
    if (!waitsForAny(truth, other, own)) yield other;
  }
}

export function* conflictingEarlier(
  truth: Truth,
  claim: Region,
  requestId: string,
  ticket: TrueWaiter | undefined,
): IterableIterator<TrueWaiter> {
  for (const here of truth.waiters.values()) {
    for (const other of here.values()) {
      if (other.requestId === requestId || !collide(claim, other)) continue;
      if (ticket !== undefined && !comesBefore(other, ticket)) continue;
      if (truth.isAlive(other)) yield other;
    }
  }
}

/** The exception: nobody queues behind a request that waits for a lock of his own. */
export function waitsForAny(
  truth: Truth,
  waiter: TrueWaiter,
  locks: readonly TrueLock[],
  now = truth.storeTime,
): boolean {
  for (const lock of locks) {
    if (lock.expiresAt <= now) continue;
    for (const place of truth.requests.get(waiter.requestId) ?? []) if (collide(place, lock)) return true;
  }
  return false;
}

function* locksInTheWay(truth: Truth, claim: Region): IterableIterator<TrueLock> {
  for (const locks of truth.locks.values()) {
    for (const lock of locks) if (lock.expiresAt > truth.storeTime && collide(claim, lock)) yield lock;
  }
}

/**
 * Nothing is in its way, and it is whole: what the sweep takes place by place has no turn.
 *
 * A request that need not queue behind others only because its agent holds a lock through another process is not told of that, and may wait as
 * long as the others.
 */
export function hasItsTurn(truth: Truth, { places, first }: WaitingRequest): boolean {
  if (!truth.isAlive(first) || places.length < first.paths) return false;
  const agentIsElsewhere = holdsElsewhere(truth, first);
  return places.every((place) => {
    for (const _ of locksInTheWay(truth, place)) return false;
    const isAheadOfAll = agentIsElsewhere ? conflictingEarlier : earlierWaiters;
    for (const _ of isAheadOfAll(truth, place, place.requestId, place)) return false;
    return true;
  });
}

/** Nobody alive is earlier in any of its queues. */
export function isFirst(truth: Truth, { places }: WaitingRequest): boolean {
  return places.every(({ path, n }) => {
    for (const other of truth.waiters.get(path)?.values() ?? [])
      if (other.n < n && truth.isAlive(other)) return false;
    return true;
  });
}

/** The waiter's agent has locks through another process as well. */
export function holdsElsewhere(truth: Truth, waiter: TrueWaiter): boolean {
  for (const { lockId } of truth.locksOf.get(waiter.agentId) ?? []) {
    if (processOf(lockId) !== processOf(waiter.lockId)) return true;
  }
  return false;
}

function processOf(id: string): string {
  return id.slice(0, id.lastIndexOf("."));
}

/** Requests that wait for each other in a ring, if there are any. */
export function findRing(truth: Truth): string[] | undefined {
  const alive = waitingRequests(truth).filter(({ first }) => truth.isAlive(first));
  const behind = new Map<string, Set<string>>();
  for (const { places, first } of alive) {
    const others = new Set<string>();
    for (const place of places) {
      for (const lock of locksInTheWay(truth, place)) {
        // Whoever holds a lock may keep it until all that it waits for is granted.
        for (const one of truth.waitersOf.get(lock.agentId) ?? []) {
          if (truth.isAlive(one)) others.add(one.requestId);
        }
      }
      for (const other of earlierWaiters(truth, place, place.requestId, place)) others.add(other.requestId);
    }
    behind.set(first.requestId, others);
  }
  return ringIn(behind);
}

function ringIn(graph: ReadonlyMap<string, ReadonlySet<string>>): string[] | undefined {
  const done = new Set<string>();
  const way: string[] = [];
  const visit = (node: string): string[] | undefined => {
    const at = way.indexOf(node);
    if (at >= 0) return way.slice(at);
    if (done.has(node)) return undefined;
    way.push(node);
    for (const next of graph.get(node) ?? []) {
      const ring = visit(next);
      if (ring !== undefined) return ring;
    }
    way.pop();
    done.add(node);
    return undefined;
  };
  for (const node of graph.keys()) {
    const ring = visit(node);
    if (ring !== undefined) return ring;
  }
  return undefined;
}
