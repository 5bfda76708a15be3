/** The lock manager of a server. */
import type { Clock } from "../clock/clock.js";
import { toMilliseconds } from "../duration.js";
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
import { lostSchema } from "../protocol/wire.js";
import { workUnder } from "../work-under.js";
import { type Call, Calls } from "./calls.js";
import { errorOf } from "./error-of.js";
import { FollowUps } from "./follow-ups.js";
import type { LinkParts } from "./link.js";
import { acquireRemotely, type Paths } from "./remote-acquire.js";
import { isReleased } from "./remote-handle.js";
import type { RemoteLock } from "./remote-lock.js";
import { RemoteLocks } from "./remote-locks.js";
import { RemoteViews } from "./remote-views.js";
import { StoreTime } from "./store-time.js";

/** How long `close` waits for what goes on without its caller. */
const closeTimeoutMs = 2_000;
/** A change is carried out within this, or never (the patience of the lock manager, and a little for the way). */
const lateForMs = 6_000;
/** As many paths as one look may name. */
const pathsPerCheck = 100;

export interface RemoteParts extends Omit<LinkParts, "storeTime"> {
  /** Who is on record for what is done by force. */
  readonly agentId: string | undefined;
}

export class RemoteLockManager implements LockManager {
  readonly #clock: Clock;
  readonly #agentId: string | undefined;
  readonly #storeTime: StoreTime;
  readonly #calls: Calls;
  readonly #views: RemoteViews;
  readonly #held: RemoteLocks;
  readonly #followUps: FollowUps;

  constructor({ agentId, ...parts }: RemoteParts) {
    this.#clock = parts.clock;
    this.#agentId = agentId;
    this.#storeTime = new StoreTime(parts.clock);
    this.#calls = new Calls(
      { ...parts, storeTime: this.#storeTime },
      {
        isWanted: () => this.#held.size > 0,
        onNews: (message) => this.#hear(message),
        onFresh: () => this.#lookAfterLocks(),
      },
    );
    this.#views = new RemoteViews(this.#calls);
    this.#followUps = new FollowUps(parts.clock);
    this.#held = new RemoteLocks({
      clock: parts.clock,
      storeTime: this.#storeTime,
      trouble: () => this.#calls.trouble,
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
    const parts = { calls: this.#calls, giveBack: this.#giveBack };
    const locks = await acquireRemotely(parts, paths, agentId, options);
    return locks.map((lock) => this.#held.hold(lock, options.autoExtend === true));
  }

  /** Whoever has the lock by another call keeps it. */
  readonly #giveBack = (lock: Lock): void => {
    if (this.#held.find(lock.resourcePath, lock.lockId) === undefined && !this.#calls.isClosed)
      this.#followUps.add(this.#releaseOne(lock));
  };

  async releaseLock(
    resourcePath: string,
    agentId: string,
    lockId: string,
    options: CallOptions = {},
  ): Promise<boolean> {
    const call: Call = {
      op: "release",
      action: `release ${JSON.stringify(resourcePath)}`,
      kind: "change",
      fields: { agent_id: agentId, locks: [{ resource_path: resourcePath, lock_id: lockId }] },
      signal: options.signal,
    };
    const remote = this.#held.find(resourcePath, lockId);
    const grants = remote?.grants;
    const { answer, repeated } = await this.#calls.make(call, releasedSchema);
    // Not if it was acquired again meanwhile: then only the handles of before are gone.
    if (remote !== undefined && remote.grants === grants)
      remote.end(() => wasReleased(resourcePath, agentId, lockId));
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
    const call: Call = {
      op: "extend",
      action: `extend ${JSON.stringify(resourcePath)}`,
      kind: "change",
      fields: { agent_id: agentId, ttl, locks: [{ resource_path: resourcePath, lock_id: lockId }] },
      signal: options.signal,
    };
    const remote = this.#held.find(resourcePath, lockId);
    const isKnown = remote?.openExtension(spanOf(ttl) ?? remote.lock.ttlMs);
    try {
      const { answer } = await this.#calls.make(call, locksSchema);
      const [lock] = answer.locks.map(lockFromJson);
      if (lock === undefined)
        throw new LockError("outcome_unknown", "The server answered an extension with no lock.");
      isKnown?.();
      remote?.prolong(lock);
      return lock;
    } catch (error) {
      this.#notExtended(remote, isKnown, error);
      throw error;
    }
  }

  #notExtended(remote: RemoteLock | undefined, isKnown: (() => void) | undefined, error: unknown): void {
    if (remote === undefined || isKnown === undefined || !(error instanceof LockError)) return;
    // What was aborted or has no answer may yet be carried out, but not for long. Then a look tells.
    if (error.code === "outcome_unknown" || error.code === "aborted")
      this.#clock.after(lateForMs, () => this.#clearUp(remote, isKnown), { background: true });
    else isKnown();
    if (error.code === "lost") remote.lose("it is no longer in force");
  }

  #clearUp(remote: RemoteLock, isKnown: () => void): void {
    if (remote.isOver || this.#calls.isClosed) return;
    this.#followUps.add(this.#lookAfter(remote.lock.agentId, [remote]).then(isKnown));
  }

  async withLock<T>(
    resourcePath: string,
    agentId: string,
    options: AcquireOptions,
    work: (lock: AcquiredLock) => T | Promise<T>,
  ): Promise<T> {
    if (typeof work !== "function") throw invalid("work", typeof work, "a function");
    const lock = await this.acquireLock(resourcePath, agentId, { autoExtend: true, ...options });
    return workUnder(lock, isReleased, work);
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
    const call: Call = {
      op: "release",
      action: `release ${JSON.stringify(resourcePath)} by force`,
      kind: "change",
      fields: {
        force: true,
        reason,
        agent_id: by,
        locks: [{ resource_path: resourcePath, lock_id: lockId }],
      },
      signal,
    };
    const { answer } = await this.#calls.make(call, releasedSchema);
    return (answer.locks ?? []).map(lockFromJson);
  }

  events(): AsyncIterableIterator<LockEvent> {
    throw invalid("events", "over the wire", "a lock manager in process");
  }

  metrics(): Promise<string> {
    return this.#views.metrics();
  }

  currentTime(): Date {
    return new Date(this.#storeTime.latest());
  }

  async close(options: { readonly release?: boolean } = {}): Promise<void> {
    if (this.#calls.isClosed) return;
    const held = this.#held.all();
    if (options.release === true) for (const { lock } of held) this.#followUps.add(this.#releaseOne(lock));
    await this.#followUps.settled(closeTimeoutMs);
    this.#calls.close();
    for (const remote of held) remote.end(() => wasClosed(remote.lock));
    this.#held.close();
  }

  #releaseOne({ resourcePath, agentId, lockId }: Lock): Promise<boolean> {
    return this.releaseLock(resourcePath, agentId, lockId);
  }

  // What the server says

  #hear(message: object): void {
    const { data } = lostSchema.safeParse(message);
    if (data === undefined) return;
    const { resource_path, lock_id, problem } = data.lost;
    this.#held.find(resource_path, lock_id)?.end(() => errorOf(problem));
  }

  /** The server knows nothing of this process: what is held has to be looked at before anybody relies on it for longer. */
  #lookAfterLocks(): void {
    const byAgent = new Map<string, RemoteLock[]>();
    for (const remote of this.#held.all()) {
      const { agentId } = remote.lock;
      const locks = byAgent.get(agentId);
      if (locks === undefined) byAgent.set(agentId, [remote]);
      else locks.push(remote);
    }
    for (const [agentId, locks] of byAgent) {
      for (let first = 0; first < locks.length; first += pathsPerCheck)
        this.#followUps.add(this.#lookAfter(agentId, locks.slice(first, first + pathsPerCheck)));
    }
  }

  async #lookAfter(agentId: string, locks: readonly RemoteLock[]): Promise<void> {
    const paths = locks.map(({ lock }) => lock.resourcePath);
    const { mine } = await this.#views.check(paths, agentId, {});
    for (const remote of locks) {
      const found = mine.find(({ lockId, resourcePath }) => isSame(remote.lock, { lockId, resourcePath }));
      if (found === undefined) remote.lose("it is no longer in force");
      else remote.prolong(found);
    }
  }
}

function isSame(lock: Lock, other: Pick<Lock, "lockId" | "resourcePath">): boolean {
  return lock.lockId === other.lockId && lock.resourcePath === other.resourcePath;
}

/** Of a duration that the server will take. */
function spanOf(ttl: Duration | undefined): number | undefined {
  try {
    return ttl === undefined ? undefined : toMilliseconds("ttl", ttl, { minMs: 0, maxMs: Infinity });
  } catch {
    return undefined;
  }
}

function wasReleased(resourcePath: string, agentId: string, lockId: string): LockError {
  const message = `The lock on ${JSON.stringify(resourcePath)} was released.`;
  return new LockError("lost", message, { resourcePath, agentId, lockId });
}

function wasClosed({ resourcePath, agentId, lockId }: Lock): LockError {
  const message = `The lock manager that watched over the lock on ${JSON.stringify(resourcePath)} was closed.`;
  return new LockError("closed", message, { resourcePath, agentId, lockId });
}
