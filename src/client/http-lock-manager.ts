/** The lock manager of a server, over its HTTP API. */
import type { Clock } from "../clock/clock.js";
import { invalid, LockError } from "../errors.js";
import type {
  AcquiredLock,
  AcquireOptions,
  AgentState,
  CallOptions,
  CheckResult,
  Duration,
  ForceReleaseOptions,
  ListFilter,
  Lock,
  LockEvent,
  LockManager,
  LockPage,
  LockStats,
  ResourceState,
} from "../lock-manager.js";
import { lockFromJson, locksSchema } from "../protocol/lock.js";
import { releasedSchema } from "../protocol/release.js";
import { FollowUps } from "./follow-ups.js";
import { type HttpCall, HttpConnection, NoAnswer } from "./http-connection.js";
import { acquireRemotely, type Paths } from "./remote-acquire.js";
import { RemoteLocks } from "./remote-locks.js";
import { RemoteViews } from "./remote-views.js";
import { outcomeUnknown, ServerCalls } from "./server-calls.js";
import { StoreTime } from "./store-time.js";

/** How long `close` waits for what goes on without its caller. */
const closeTimeoutMs = 2_000;

export class HttpLockManager implements LockManager {
  readonly #clock: Clock;
  readonly #agentId: string | undefined;
  readonly #storeTime: StoreTime;
  readonly #calls: ServerCalls;
  readonly #views: RemoteViews;
  readonly #held: RemoteLocks;
  readonly #followUps: FollowUps;

  /** @param agentId who is on record for what is done by force. */
  constructor(url: string, clock: Clock, agentId?: string) {
    this.#clock = clock;
    this.#agentId = agentId;
    this.#storeTime = new StoreTime(clock);
    this.#calls = new ServerCalls(new HttpConnection(url, clock, this.#storeTime));
    this.#views = new RemoteViews(this.#calls);
    this.#followUps = new FollowUps(clock);
    this.#held = new RemoteLocks({
      clock,
      storeTime: this.#storeTime,
      extend: ({ resourcePath, agentId: holder, lockId }, ttl) =>
        this.extendLock(resourcePath, holder, lockId, ttl),
      release: (lock) => this.#releaseOne(lock),
    });
  }

  async acquireLock(
    resourcePath: string,
    agentId: string,
    options: AcquireOptions = {},
  ): Promise<AcquiredLock> {
    const [handle] = await this.#acquire(resourcePath, agentId, options);
    if (handle === undefined)
      throw new LockError("outcome_unknown", "The server answered an acquire with no lock.");
    return handle;
  }

  acquireMultipleLocks(
    resourcePaths: readonly string[],
    agentId: string,
    options: AcquireOptions = {},
  ): Promise<AcquiredLock[]> {
    return this.#acquire(resourcePaths, agentId, options);
  }

  async #acquire(paths: Paths, agentId: string, options: AcquireOptions): Promise<AcquiredLock[]> {
    const parts = { calls: this.#calls, clock: this.#clock, followUps: this.#followUps };
    const locks = await acquireRemotely(parts, paths, agentId, options);
    return locks.map((lock) => this.#held.hold(lock, options.autoExtend === true));
  }

  async releaseLock(
    resourcePath: string,
    agentId: string,
    lockId: string,
    options: CallOptions = {},
  ): Promise<boolean> {
    const call: HttpCall = {
      method: "POST",
      path: "/v1/locks/release",
      action: `release ${JSON.stringify(resourcePath)}`,
      body: { agent_id: agentId, locks: [{ resource_path: resourcePath, lock_id: lockId }] },
      signal: options.signal,
    };
    const { answer, repeated } = await this.#calls.settled(call, releasedSchema);
    this.#held.find(resourcePath, lockId)?.end(wasReleased(resourcePath, agentId, lockId));
    // Whoever finds nothing the second time may have released it the first time, when no answer came.
    return repeated || answer.released[0] === true;
  }

  async extendLock(
    resourcePath: string,
    agentId: string,
    lockId: string,
    ttl?: Duration,
    options: CallOptions = {},
  ): Promise<Lock> {
    if (typeof ttl === "number" && !Number.isFinite(ttl)) throw invalid("ttl", ttl, "a finite duration");
    const call: HttpCall = {
      method: "POST",
      path: "/v1/locks/extend",
      action: `extend ${JSON.stringify(resourcePath)}`,
      body: { agent_id: agentId, ttl, locks: [{ resource_path: resourcePath, lock_id: lockId }] },
      signal: options.signal,
    };
    const remote = this.#held.find(resourcePath, lockId);
    try {
      const { answer } = await this.#calls.settled(call, locksSchema);
      const [lock] = answer.locks.map(lockFromJson);
      if (lock === undefined) throw outcomeUnknown(call, new NoAnswer("The server answered with no lock."));
      remote?.prolong(lock);
      return lock;
    } catch (error) {
      if (error instanceof LockError && error.code === "lost")
        remote?.end(remote.lostBecause("it is no longer in force"));
      throw error;
    }
  }

  async withLock<T>(
    resourcePath: string,
    agentId: string,
    options: AcquireOptions,
    work: (lock: AcquiredLock) => T | Promise<T>,
  ): Promise<T> {
    const lock = await this.acquireLock(resourcePath, agentId, { autoExtend: true, ...options });
    let result: T;
    try {
      result = await work(lock);
    } catch (error) {
      this.#followUps.add(lock.release());
      throw error;
    }
    const loss: unknown = lock.signal.reason;
    if (loss instanceof LockError) throw loss;
    await this.#releaseQuietly(lock);
    return result;
  }

  /** A release that fails leaves a lock that ends with its ttl; the work is done all the same. */
  async #releaseQuietly(lock: AcquiredLock): Promise<void> {
    try {
      await lock.release();
    } catch (error) {
      if (!(error instanceof LockError)) throw error;
    }
  }

  getLock(resourcePath: string, options: CallOptions = {}): Promise<Lock | undefined> {
    return this.#views.lock(resourcePath, options);
  }

  getResource(resourcePath: string, options: CallOptions = {}): Promise<ResourceState> {
    return this.#views.resource(resourcePath, options);
  }

  listLocks(filter: ListFilter = {}): Promise<LockPage> {
    return this.#views.list(filter);
  }

  async getAgentLocks(agentId: string, options: CallOptions = {}): Promise<readonly Lock[]> {
    return (await this.getAgent(agentId, options)).locks;
  }

  getAgent(agentId: string, options: CallOptions = {}): Promise<AgentState> {
    return this.#views.agent(agentId, options);
  }

  async getLockCount(options: CallOptions = {}): Promise<number> {
    return (await this.getStats(options)).locks;
  }

  getStats(options: CallOptions = {}): Promise<LockStats> {
    return this.#views.stats(options);
  }

  checkLocks(
    resourcePaths: readonly string[],
    agentId: string,
    options: CallOptions = {},
  ): Promise<CheckResult> {
    return this.#views.check(resourcePaths, agentId, options);
  }

  async forceRelease(resourcePath: string, options: ForceReleaseOptions): Promise<readonly Lock[]> {
    const { reason, lockId, by = this.#agentId, signal } = options;
    const call: HttpCall = {
      method: "POST",
      path: "/v1/locks/release",
      action: `release ${JSON.stringify(resourcePath)} by force`,
      body: { force: true, reason, agent_id: by, locks: [{ resource_path: resourcePath, lock_id: lockId }] },
      signal,
    };
    const { locks = [] } = await this.#calls.once(call, releasedSchema);
    for (const lock of locks) {
      const remote = this.#held.find(lock.resource_path, lock.lock_id);
      remote?.end(remote.lostBecause("an operator released it"));
    }
    return locks.map(lockFromJson);
  }

  /** Not in this version: the server tells nobody. */
  events(): AsyncIterableIterator<LockEvent> {
    throw invalid("events", "over HTTP", "a lock manager in process: the server has no stream of events yet");
  }

  metrics(): Promise<string> {
    return this.#calls.text({ method: "GET", path: "/metrics", action: "read the metrics" });
  }

  currentTime(): Date {
    return new Date(this.#storeTime.latest());
  }

  async close(options: { readonly release?: boolean } = {}): Promise<void> {
    if (this.#calls.closed) return;
    const held = this.#held.all();
    if (options.release === true) for (const { lock } of held) this.#followUps.add(this.#releaseOne(lock));
    await this.#followUps.settled(closeTimeoutMs);
    this.#calls.close();
    for (const remote of held) remote.end(remote.lostBecause("the lock manager was closed"));
  }

  #releaseOne({ resourcePath, agentId, lockId }: Lock): Promise<boolean> {
    return this.releaseLock(resourcePath, agentId, lockId);
  }
}

function wasReleased(resourcePath: string, agentId: string, lockId: string): LockError {
  const message = `The lock on ${JSON.stringify(resourcePath)} was released.`;
  return new LockError("lost", message, { resourcePath, agentId, lockId });
}
