/**
 * A lock manager as one would explain it: a list of locks, a list of waiting requests, and brute force.
 *
 * It has no counters, no ranges, no pages and no shortcuts, so that it can be compared with the core, which has them all.
 */
import type { Mode, Request, Scope } from "../../src/core/claim.js";

export interface NaiveLock {
  readonly lockId: string;
  readonly path: string;
  readonly agentId: string;
  readonly mode: Mode;
  readonly scope: Scope;
  readonly token: number;
  readonly acquiredAt: number;
  readonly expiresAt: number;
  readonly ttlMs: number;
}

export interface NaiveWaiter {
  readonly request: Request;
  /** Counts up: the order of the queue. */
  readonly ticket: number;
  readonly managerId: string;
  readonly until: number | null;
  /** Where it still stands. A sweep may take the places of an abandoned request one by one. */
  readonly paths: Set<string>;
}

/** When, and who looks. */
export interface Glance {
  readonly earliest: number;
  readonly latest: number;
  readonly managerId: string;
}

interface Region {
  readonly agentId: string;
  readonly mode: Mode;
  readonly scope: Scope;
  readonly path: string;
}

function segments(path: string): string[] {
  return path.split("/").filter((segment) => segment !== "");
}

function covers(above: Region, path: string): boolean {
  if (above.scope === "resource") return above.path === path;
  const outer = segments(above.path);
  const inner = segments(path);
  return outer.every((segment, index) => inner[index] === segment);
}

export function collide(a: Region, b: Region): boolean {
  if (a.agentId === b.agentId) return false;
  if (a.mode === "shared" && b.mode === "shared") return false;
  return covers(a, b.path) || covers(b, a.path);
}

export class NaiveLocks {
  locks: NaiveLock[] = [];
  waiters: NaiveWaiter[] = [];
  /** Until when each manager process counts as alive. */
  readonly managers = new Map<string, number>();
  private tickets = 0;

  queue(request: Request, until: number | null, managerId: string): NaiveWaiter {
    const paths = new Set(request.claims.map((claim) => claim.resource.path));
    const waiter = { request, ticket: this.tickets++, managerId, until, paths };
    this.waiters.push(waiter);
    return waiter;
  }

  waiterOf(request: Request): NaiveWaiter | undefined {
    return this.waiters.find((waiter) => waiter.request.requestId === request.requestId);
  }

  inForce(lock: NaiveLock, { earliest }: Glance): boolean {
    return lock.expiresAt > earliest;
  }

  own(agentId: string, path: string, glance: Glance): NaiveLock | undefined {
    return this.locks.find(
      (lock) => lock.agentId === agentId && lock.path === path && this.inForce(lock, glance),
    );
  }

  isAlive(waiter: NaiveWaiter, { earliest, managerId }: Glance): boolean {
    if (waiter.until !== null && waiter.until <= earliest) return false;
    return waiter.managerId === managerId || (this.managers.get(waiter.managerId) ?? 0) > earliest;
  }

  /** The locks in force that the request collides with on these paths. */
  locksInTheWay(request: Request, paths: Iterable<string>, glance: Glance): NaiveLock[] {
    const { agentId, mode, scope } = request;
    return [...paths].flatMap((path) =>
      this.locks.filter(
        (lock) => this.inForce(lock, glance) && collide({ agentId, mode, scope, path }, lock),
      ),
    );
  }

  /** The earlier waiters that the request must let pass on these paths. */
  waitersInTheWay(request: Request, paths: Iterable<string>, ticket: number, glance: Glance): NaiveWaiter[] {
    const { agentId, mode, scope } = request;
    return [...paths].flatMap((path) =>
      this.waiters.filter(
        (other) =>
          other.ticket < ticket &&
          this.isAlive(other, glance) &&
          [...other.paths].some((at) =>
            collide({ agentId, mode, scope, path }, { ...other.request, path: at }),
          ) &&
          !this.waitsForLockOf(other, agentId, glance),
      ),
    );
  }

  /** Whoever had its turn takes the abandoned off the front that were in its way. */
  takeOffFront(path: string, { request, ticket }: NaiveWaiter, glance: Glance): void {
    const { agentId, mode, scope } = request;
    for (const other of this.waiters) {
      if (!other.paths.has(path)) continue;
      const wasInTheWay = collide({ agentId, mode, scope, path }, { ...other.request, path });
      const isAbandoned = other.managerId !== glance.managerId && !this.isAlive(other, glance);
      if (other.ticket > ticket || !wasInTheWay || !isAbandoned) break;
      other.paths.delete(path);
    }
    this.waiters = this.waiters.filter((waiter) => waiter.paths.size > 0);
  }

  /** The exception: nobody queues behind a waiter that waits for a lock of his. */
  private waitsForLockOf(waiter: NaiveWaiter, agentId: string, glance: Glance): boolean {
    return this.locksInTheWay(waiter.request, waiter.paths, glance).some((lock) => lock.agentId === agentId);
  }

  isBlocked(request: Request, paths: Iterable<string>, ticket: number, glance: Glance): boolean {
    return (
      this.locksInTheWay(request, paths, glance).length > 0 ||
      this.waitersInTheWay(request, paths, ticket, glance).length > 0
    );
  }

  /** Waiting requests whose turn it is. */
  grantable(glance: Glance): NaiveWaiter[] {
    return this.waiters.filter(
      (waiter) =>
        waiter.paths.size === waiter.request.claims.length &&
        this.isAlive(waiter, glance) &&
        !this.isBlocked(waiter.request, waiter.paths, waiter.ticket, glance),
    );
  }

  /**
   * Which waiting request can go on only after which others: those ahead of it, and (as whoever holds a lock may keep it until then) all that the
   * holder of a lock in its way waits for.
   */
  waitsFor(glance: Glance): Map<string, Set<string>> {
    const graph = new Map<string, Set<string>>();
    const alive = this.waiters.filter((one) => this.isAlive(one, glance));
    for (const { request, paths, ticket } of alive) {
      const behind = new Set<string>();
      graph.set(request.requestId, behind);
      for (const lock of this.locksInTheWay(request, paths, glance)) {
        for (const other of alive)
          if (other.request.agentId === lock.agentId) behind.add(other.request.requestId);
      }
      for (const other of this.waitersInTheWay(request, paths, ticket, glance))
        behind.add(other.request.requestId);
    }
    return graph;
  }

  /** True when some request of the one agent waits behind a lock or a request of the other. */
  isBehind(agentId: string, other: string, glance: Glance): boolean {
    return this.waiters.some(
      ({ request, paths, ticket }) =>
        request.agentId === agentId &&
        (this.locksInTheWay(request, paths, glance).some((lock) => lock.agentId === other) ||
          this.waitersInTheWay(request, paths, ticket, glance).some((one) => one.request.agentId === other)),
    );
  }
}

export function hasCycle(graph: ReadonlyMap<string, ReadonlySet<string>>): boolean {
  const reaches = (from: string, to: string, seen: Set<string>): boolean =>
    [...(graph.get(from) ?? [])].some((next) => {
      if (next === to) return true;
      if (seen.has(next)) return false;
      seen.add(next);
      return reaches(next, to, seen);
    });
  return [...graph.keys()].some((node) => reaches(node, node, new Set()));
}
