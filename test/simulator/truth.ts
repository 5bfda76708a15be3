/** What the store truly holds, and every lock and waiter there ever was: kept from the committed changes alone, without the core. */
import type {
  AgentRecord,
  AgentWaitRecord,
  Holder,
  LockRecord,
  ManagerRecord,
  Queue,
  WaitRecord,
} from "../../src/core/records.js";
import type { Change, Json, Outcome } from "../../src/store/store.js";
import { type Deed, emptyDeed, type TrueLock, type TrueWaiter } from "./deed.js";

export class Truth {
  revision = 0;
  storeTime = -Infinity;
  readonly entries = new Map<string, Json>();
  readonly locks = new Map<string, TrueLock[]>();
  readonly waiters = new Map<string, Map<number, TrueWaiter>>();
  readonly queues = new Map<string, Queue>();
  /** Until when each manager counts as alive. */
  readonly managers = new Map<string, number>();
  readonly locksOf = new Map<string, Set<TrueLock>>();
  readonly waitersOf = new Map<string, Set<TrueWaiter>>();
  /** Everything that ever was under a lock id, the latest last. */
  readonly history = new Map<string, TrueLock[]>();
  /** Every lock and every place in a queue that an agent ever had. */
  readonly had = new Map<string, TrueLock[]>();
  readonly waited = new Map<string, TrueWaiter[]>();
  readonly requests = new Map<string, Set<TrueWaiter>>();

  /** Takes over a commit. */
  apply(
    changes: readonly Change[],
    outcomes: readonly Outcome[],
    storeTime: number,
    process: string,
    now: number,
  ): Deed | undefined {
    let deed: Deed | undefined;
    for (const [index, outcome] of outcomes.entries()) {
      const change = changes[index]!;
      if (!outcome.applied || change.put.length + change.remove.length === 0) continue;
      deed ??= emptyDeed(outcome.revision, storeTime, process);
      for (const { key, value } of change.put) this.write(key, value, deed, now);
      for (const key of change.remove) this.write(key, undefined, deed, now);
    }
    if (deed !== undefined) this.revision = deed.revision;
    this.storeTime = storeTime;
    return deed;
  }

  private write(key: string, value: Json | undefined, deed: Deed, now: number): void {
    if (value === undefined) this.entries.delete(key);
    else this.entries.set(key, value);
    if (key.startsWith("lock/")) {
      this.writeLock(key.slice("lock".length), value as unknown as LockRecord | undefined, deed, now);
    } else if (key.startsWith("wait/")) this.writeWaiter(key, value as unknown as WaitRecord, deed);
    else if (key.startsWith("manager/")) {
      const id = key.slice("manager/".length);
      if (value === undefined) this.managers.delete(id);
      else this.writeManager(id, value as unknown as ManagerRecord, deed);
    } else deed.agents.add(key.split("/")[1]!);
  }

  private writeManager(id: string, { expiresAt }: ManagerRecord, deed: Deed): void {
    const before = this.managers.get(id) ?? Infinity;
    if (before <= deed.storeTime && expiresAt > before)
      deed.errors.push(`manager ${id} has come to life again`);
    this.managers.set(id, expiresAt);
  }

  private writeLock(path: string, record: LockRecord | undefined, deed: Deed, now: number): void {
    deed.paths.add(path);
    const before = this.locks.get(path) ?? [];
    const after: TrueLock[] = [];
    for (const holder of record?.holders ?? []) {
      const known = before.find((one) => one.lockId === holder.lockId);
      const token = holder.token === 0 ? deed.revision : holder.token;
      if (known === undefined || known.token !== token)
        after.push(this.begin(path, holder, token, deed, now));
      else {
        this.follow(known, holder, deed, now);
        after.push(known);
      }
    }
    for (const lock of before) if (!after.includes(lock)) this.end(lock, deed);
    if (after.length === 0) this.locks.delete(path);
    else this.locks.set(path, after);
    if (record?.queue === undefined) this.queues.delete(path);
    else this.queues.set(path, record.queue);
    if (record !== undefined && record.holders.length === 0 && record.queue === undefined) {
      deed.errors.push(`lock${path} has nothing in it`);
    }
  }

  private begin(path: string, holder: Holder, token: number, deed: Deed, now: number): TrueLock {
    const { lockId, agentId, mode, scope, acquiredAt, expiresAt, ttlMs } = holder;
    const lock: TrueLock = {
      lockId,
      path,
      agentId,
      mode,
      scope,
      token,
      acquiredAt,
      expiresAt,
      ttlMs,
      expiries: [expiresAt],
      setBy: deed.process,
      setAt: now,
      endedAt: undefined,
      endedInForce: false,
      isJoined: false,
    };
    if (expiresAt <= deed.storeTime) deed.errors.push(`${lockId} had expired when it was granted`);
    deed.granted.push(lock);
    addTo(this.locksOf, agentId, lock);
    append(this.history, lockId, lock);
    append(this.had, agentId, lock);
    return lock;
  }

  private follow(lock: TrueLock, holder: Holder, deed: Deed, now: number): void {
    if (holder.agentId !== lock.agentId || holder.mode !== lock.mode || holder.scope !== lock.scope) {
      deed.errors.push(`${lock.lockId} has become another's, or of another kind`);
    }
    lock.ttlMs = holder.ttlMs;
    lock.isJoined = holder.joined !== undefined;
    if (holder.expiresAt === lock.expiresAt) return;
    deed.extended.push({ lock, from: lock.expiresAt });
    lock.expiresAt = holder.expiresAt;
    lock.expiries.push(holder.expiresAt);
    lock.setBy = deed.process;
    lock.setAt = now;
  }

  private end(lock: TrueLock, deed: Deed): void {
    lock.endedAt = deed.revision;
    lock.endedInForce = lock.expiresAt > deed.storeTime;
    deed.ended.push(lock);
    removeFrom(this.locksOf, lock.agentId, lock);
  }

  private writeWaiter(key: string, record: WaitRecord | undefined, deed: Deed): void {
    const end = key.lastIndexOf("//");
    const path = key.slice("wait".length, end);
    // Behind a letter for the count of its digits.
    const n = Number(key.slice(end + 3));
    deed.paths.add(path);
    const here = this.waiters.get(path) ?? new Map<number, TrueWaiter>();
    const before = here.get(n);
    if (before !== undefined) {
      // One change can empty a queue and begin it anew, at the same number.
      if (record?.lockId === before.lockId) deed.errors.push(`${key} was written again`);
      before.endedAt = deed.revision;
      here.delete(n);
      deed.left.push(before);
      removeFrom(this.waitersOf, before.agentId, before);
      removeFrom(this.requests, before.requestId, before);
    }
    if (record !== undefined) {
      const { lockId, requestId, agentId, managerId, mode, scope, paths, until, ordinal } = record;
      const waiter: TrueWaiter = {
        path,
        n,
        lockId,
        requestId,
        agentId,
        managerId,
        mode,
        scope,
        paths,
        until,
        ordinal,
        since: deed.revision,
        endedAt: undefined,
      };
      here.set(n, waiter);
      deed.queued.push(waiter);
      addTo(this.waitersOf, agentId, waiter);
      addTo(this.requests, requestId, waiter);
      append(this.waited, agentId, waiter);
    }
    if (here.size === 0) this.waiters.delete(path);
    else this.waiters.set(path, here);
  }

  *inForce(): IterableIterator<TrueLock> {
    for (const locks of this.locks.values()) {
      for (const lock of locks) if (lock.expiresAt > this.storeTime) yield lock;
    }
  }

  *waiting(): IterableIterator<TrueWaiter> {
    for (const here of this.waiters.values()) yield* here.values();
  }

  /** A waiter counts while its manager lives and its time is not up. */
  isAlive(waiter: TrueWaiter): boolean {
    if (waiter.until !== null && waiter.until <= this.storeTime) return false;
    return (this.managers.get(waiter.managerId) ?? 0) > this.storeTime;
  }

  /** The lock under that id as it stood last. */
  latest(lockId: string): TrueLock | undefined {
    return this.history.get(lockId)?.at(-1);
  }

  agentRecord(agent: string): AgentRecord | undefined {
    return this.entries.get(`agent/${agent}`) as unknown as AgentRecord | undefined;
  }

  agentWait(agent: string, lockId: string): AgentWaitRecord | undefined {
    return this.entries.get(`agent/${agent}/wait/${lockId}`) as unknown as AgentWaitRecord | undefined;
  }
}

function append<T>(all: Map<string, T[]>, key: string, one: T): void {
  const known = all.get(key);
  if (known === undefined) all.set(key, [one]);
  else known.push(one);
}

function addTo<T>(all: Map<string, Set<T>>, key: string, one: T): void {
  const known = all.get(key);
  if (known === undefined) all.set(key, new Set([one]));
  else known.add(one);
}

function removeFrom<T>(all: Map<string, Set<T>>, key: string, one: T): void {
  const known = all.get(key);
  known?.delete(one);
  if (known?.size === 0) all.delete(key);
}
