/**
 * A store that looks at each commit and knows what it may do: grant in the order of the queue, within the limit, all or nothing, prolong only what
 * is in force, and end early only what somebody was entitled to end.
 */

import { managerKey, waitKey } from "../../src/core/keys.js";
import type { ManagerRecord } from "../../src/core/records.js";
import type {
  Change,
  CommitReply,
  HintListener,
  Query,
  ReadReply,
  Store,
  Subscription,
} from "../../src/store/store.js";
import { Entries } from "../core/map-view.js";
import {
  bookKeepingErrors,
  type StoredLock,
  type StoredWaiter,
  storedLocks,
  storedWaiters,
} from "../model/book-keeping.js";
import { must, mustEqual } from "../model/must.js";
import { collide } from "../model/naive-locks.js";

/** What was asked for in one call. */
export interface Asked {
  readonly agentId: string;
  readonly paths: readonly string[];
  readonly lockIds: readonly string[];
}

interface Moment {
  readonly entries: Entries;
  readonly locks: readonly StoredLock[];
  readonly waiters: readonly StoredWaiter[];
}

export class Witness implements Store {
  readonly traits;
  /** By lock id. Whoever queues anew does so under ids that only its places in the queue tell of. */
  readonly asked = new Map<string, Asked>();
  /** Whether somebody may end the lock before its time. */
  mayEnd: (lock: StoredLock) => boolean = () => false;
  /** The first thing that was wrong. */
  broken: Error | undefined;
  commits = 0;
  /** How many grants went past others that waited longer, each for a stated reason. */
  readonly passed = { dead: 0, blocked: 0, shared: 0 };
  latest: Moment = { entries: new Entries(), locks: [], waiters: [] };
  readonly #inner: Store;
  readonly #limit: number;

  constructor(inner: Store, limit: number) {
    this.#inner = inner;
    this.#limit = limit;
    this.traits = inner.traits;
  }

  async commit(changes: readonly Change[]): Promise<CommitReply> {
    const reply = await this.#inner.commit(changes);
    if (reply.outcomes.some((outcome) => outcome.applied)) await this.#look(reply.storeTime);
    return reply;
  }

  read(query: Query): Promise<ReadReply> {
    return this.#inner.read(query);
  }

  subscribe(listener: HintListener): Promise<Subscription> {
    return this.#inner.subscribe(listener);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  async #look(now: number): Promise<void> {
    const { ranges } = await this.#inner.read({ ranges: [{ prefix: "" }] });
    const entries = new Entries();
    for (const entry of ranges[0] ?? []) entries.set(entry);
    const before = this.latest;
    const after = { entries, locks: storedLocks(entries), waiters: storedWaiters(entries) };
    this.latest = after;
    this.commits++;
    try {
      mustEqual(bookKeepingErrors(entries), [], "book-keeping");
      const standing = new Map(before.locks.map((lock) => [lock.lockId, lock]));
      for (const lock of after.locks) {
        const old = standing.get(lock.lockId);
        standing.delete(lock.lockId);
        if (old === undefined) this.#granted(lock, before, after, now);
        else if (old.token !== lock.token) this.#granted(lock, before, after, now);
        else if (old.expiresAt !== lock.expiresAt) {
          must(old.expiresAt >= now, `${lock.lockId} was prolonged after its time (I11)`);
        }
      }
      for (const lock of standing.values()) {
        must(
          lock.expiresAt <= now || this.mayEnd(lock),
          `${lock.lockId} of ${lock.agentId} on ${lock.path} ended before its time, and nobody asked (I12, I4)`,
        );
      }
    } catch (error) {
      this.broken ??= error as Error;
    }
  }

  #granted(lock: StoredLock, before: Moment, after: Moment, now: number): void {
    const mine = after.locks.filter((one) => one.agentId === lock.agentId && one.expiresAt > now);
    must(mine.length <= this.#limit, `${lock.agentId} holds ${mine.length} locks (I7)`);
    const place = before.waiters.find((one) => one.lockId === lock.lockId);
    const asked = this.asked.get(lock.lockId) ?? askedBy(place, before);
    // One that was held before may be given back by the very change that counted on it.
    const had = before.locks.filter((one) => one.agentId === lock.agentId && this.mayEnd(one));
    for (const path of asked?.paths ?? []) {
      must(
        [...mine, ...had].some((one) => one.path === path) || lock.expiresAt <= now,
        `${lock.agentId} was granted ${lock.path} without ${path} (I8)`,
      );
    }
    const together = asked?.lockIds ?? [lock.lockId];
    for (const waiter of before.waiters) {
      if (together.includes(waiter.lockId) || !stillWaits(waiter, after)) continue;
      if (place !== undefined && !isEarlier(ticketOf(waiter, before), ticketOf(place, before))) continue;
      if (!collide(lock, waiter)) {
        if (lock.path === waiter.path && lock.agentId !== waiter.agentId) this.passed.shared++;
      } else if (!isAlive(waiter, before, now)) this.passed.dead++;
      else if (isBlockedBy(lock, together, waiter, before, after)) this.passed.blocked++;
      else {
        throw new Error(
          `${lock.agentId} got ${lock.path} (${lock.lockId}) before ${waiter.agentId}, who waited longer on ${waiter.path} (I6)`,
        );
      }
    }
  }
}

function askedBy(place: StoredWaiter | undefined, { waiters }: Moment): Asked | undefined {
  if (place === undefined) return undefined;
  const places = waiters.filter((one) => one.requestId === place.requestId);
  return {
    agentId: place.agentId,
    paths: places.map(({ path }) => path),
    lockIds: places.map(({ lockId }) => lockId),
  };
}

function stillWaits(waiter: StoredWaiter, after: Moment): boolean {
  return after.waiters.some((one) => one.lockId === waiter.lockId && one.n === waiter.n);
}

type Ticket = readonly [revision: number, ordinal: number, requestId: string];

function ticketOf({ path, n, ordinal, requestId }: StoredWaiter, { entries }: Moment): Ticket {
  return [entries.at(waitKey(path, n))?.revision ?? 0, ordinal, requestId];
}

function isEarlier(a: Ticket, b: Ticket): boolean {
  if (a[0] !== b[0]) return a[0] < b[0];
  return a[1] === b[1] ? a[2] < b[2] : a[1] < b[1];
}

function isAlive(waiter: StoredWaiter, { entries }: Moment, now: number): boolean {
  if (waiter.until !== null && waiter.until <= now) return false;
  const manager = entries.at(managerKey(waiter.managerId))?.value as unknown as ManagerRecord | undefined;
  return manager !== undefined && manager.expiresAt > now;
}

/** The waiter waits for another lock of the very agent that passes it. */
function isBlockedBy(
  lock: StoredLock,
  together: readonly string[],
  waiter: StoredWaiter,
  before: Moment,
  after: Moment,
): boolean {
  const wants = before.waiters.filter((one) => one.requestId === waiter.requestId);
  return [...before.locks, ...after.locks].some(
    (one) =>
      one.agentId === lock.agentId &&
      !together.includes(one.lockId) &&
      wants.some((want) => collide(one, want)),
  );
}
