/** A store that looks at every commit: whatever managers do, what it holds must be in order. */
import type { Change, CommitReply, Query, ReadReply, Store, Subscription } from "../../src/store/store.js";
import { Entries } from "../core/map-view.js";
import { bookKeepingErrors, type StoredLock, storedLocks } from "./book-keeping.js";
import { must, mustEqual } from "./must.js";
import { collide } from "./naive-locks.js";

export class WatchedStore implements Store {
  readonly traits;
  /** Locks as of the latest commit. */
  locks: readonly StoredLock[] = [];
  entries = new Entries();
  /** Every lock there ever was, by id. */
  readonly history = new Map<string, StoredLock>();
  /** The first thing that was wrong. */
  broken: Error | undefined;
  private readonly inner: Store;

  constructor(inner: Store) {
    this.inner = inner;
    this.traits = inner.traits;
  }

  async commit(changes: readonly Change[]): Promise<CommitReply> {
    const reply = await this.inner.commit(changes);
    if (reply.outcomes.some((outcome) => outcome.applied)) await this.inspect(reply.storeTime);
    return reply;
  }

  read(query: Query): Promise<ReadReply> {
    return this.inner.read(query);
  }

  subscribe(listener: (paths: readonly string[]) => void): Promise<Subscription> {
    return this.inner.subscribe(listener);
  }

  close(): Promise<void> {
    return this.inner.close();
  }

  private async inspect(now: number): Promise<void> {
    const { ranges } = await this.inner.read({ ranges: [{ prefix: "" }] });
    const entries = new Entries();
    for (const entry of ranges[0] ?? []) entries.set(entry);
    const before = this.locks;
    this.entries = entries;
    this.locks = storedLocks(entries);
    try {
      this.check(now, new Set(before.map((lock) => lock.lockId)));
    } catch (error) {
      this.broken ??= error as Error;
    }
  }

  private check(now: number, standing: ReadonlySet<string>): void {
    mustEqual(bookKeepingErrors(this.entries), [], "book-keeping");
    const inForce = this.locks.filter((lock) => lock.expiresAt > now);
    for (const [i, a] of inForce.entries()) {
      for (const b of inForce.slice(i + 1)) {
        must(!collide(a, b), `${a.lockId} and ${b.lockId} are held at once (invariant I1)`);
      }
    }
    for (const lock of this.locks) {
      const before = this.history.get(lock.lockId);
      if (before?.token !== lock.token) {
        // An acquire whose reply was lost may be granted once more under its id, but only when the first grant has ended unknown.
        const hasEnded = before === undefined || before.expiresAt <= now || !standing.has(lock.lockId);
        must(hasEnded, `${lock.lockId} has a new token (invariant I3)`);
        this.begin(lock);
      }
      this.history.set(lock.lockId, lock);
    }
  }

  private begin(lock: StoredLock): void {
    for (const other of this.history.values()) {
      must(
        !collide(lock, other) || other.token < lock.token,
        `${lock.lockId} has an old token (invariant I2)`,
      );
    }
  }
}
