/** The lock manager of a server. */
import { invalid, LockError } from "../errors.js";
import type {
  AcquiredLock,
  AcquireOptions,
  AgentState,
  CallOptions,
  CheckResult,
  Duration,
  EventFilter,
  ForceReleaseOptions,
  ListFilter,
  Lock,
  LockEvent,
  LockManager,
  LockPage,
  LockStats,
  ResourceState,
} from "../lock-manager.js";
import { lostSchema } from "../protocol/wire.js";
import { workUnder } from "../work-under.js";
import { Calls } from "./calls.js";
import { errorOf } from "./error-of.js";
import { FollowUps } from "./follow-ups.js";
import type { LinkParts } from "./link.js";
import { RemoteCommands } from "./remote-commands.js";
import { RemoteEvents } from "./remote-events.js";
import { isReleased } from "./remote-handle.js";
import { RemoteLocks } from "./remote-locks.js";
import { RemoteViews } from "./remote-views.js";
import { StoreTime } from "./store-time.js";

/** How long `close` waits for what goes on without its caller. */
const closeTimeoutMs = 2_000;

export interface RemoteParts extends Omit<LinkParts, "storeTime"> {
  /** Who is on record for what is done by force. */
  readonly agentId: string | undefined;
}

export class RemoteLockManager implements LockManager {
  readonly #agentId: string | undefined;
  readonly #storeTime: StoreTime;
  readonly #calls: Calls;
  readonly #views: RemoteViews;
  readonly #held: RemoteLocks;
  readonly #events: RemoteEvents;
  readonly #commands: RemoteCommands;
  readonly #followUps: FollowUps;

  constructor({ agentId, ...parts }: RemoteParts) {
    this.#agentId = agentId;
    this.#storeTime = new StoreTime(parts.clock);
    this.#calls = new Calls(
      { ...parts, storeTime: this.#storeTime },
      {
        isWanted: () => this.#held.size > 0 || this.#events.size > 0,
        onNews: (message) => this.#hear(message),
        onFresh: () => {
          this.#commands.lookAfterAll();
          this.#events.subscribeAgain();
        },
      },
    );
    this.#views = new RemoteViews(this.#calls);
    this.#events = new RemoteEvents(this.#calls);
    this.#followUps = new FollowUps(parts.clock);
    this.#commands = new RemoteCommands({
      clock: parts.clock,
      calls: this.#calls,
      views: this.#views,
      followUps: this.#followUps,
      held: () => this.#held,
    });
    this.#held = new RemoteLocks({
      clock: parts.clock,
      storeTime: this.#storeTime,
      trouble: () => this.#calls.trouble,
      extend: ({ resourcePath, agentId: holder, lockId }, ttl) =>
        this.extendLock(resourcePath, holder, lockId, ttl),
      release: (lock) => this.#commands.releaseOne(lock),
    });
  }

  async acquireLock(
    resourcePath: string,
    agentId: string,
    options: AcquireOptions = {},
  ): Promise<AcquiredLock> {
    const [handle] = await this.#commands.acquire(resourcePath, agentId, options);
    if (handle === undefined)
      throw new LockError("outcome_unknown", "The server answered an acquire with no lock.");
    return handle;
  }

  acquireMultipleLocks(
    resourcePaths: readonly string[],
    agentId: string,
    options: AcquireOptions = {},
  ): Promise<AcquiredLock[]> {
    return this.#commands.acquire(resourcePaths, agentId, options);
  }

  async releaseLock(
    resourcePath: string,
    agentId: string,
    lockId: string,
    options: CallOptions = {},
  ): Promise<boolean> {
    return this.#commands.release(resourcePath, agentId, lockId, options);
  }

  async extendLock(
    resourcePath: string,
    agentId: string,
    lockId: string,
    ttl?: Duration,
    options: CallOptions = {},
  ): Promise<Lock> {
    return this.#commands.extend(resourcePath, agentId, lockId, ttl, options);
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
    const by = options.by ?? this.#agentId;
    return this.#commands.revoke(resourcePath, { ...options, ...(by !== undefined && { by }) });
  }

  events(filter: EventFilter = {}): AsyncIterableIterator<LockEvent> {
    this.#calls.requireOpen();
    return this.#events.read(filter);
  }

  metrics(): Promise<string> {
    return this.#views.metrics();
  }

  currentTime(): Date {
    return new Date(this.#storeTime.latest());
  }

  async close(options: { readonly release?: boolean } = {}): Promise<void> {
    if (this.#calls.isClosed) return;
    this.#calls.stopAcquiring();
    const held = this.#held.all();
    if (options.release === true)
      for (const { lock } of held) this.#followUps.add(this.#commands.releaseOne(lock));
    await this.#followUps.settled(closeTimeoutMs);
    this.#calls.close();
    this.#events.close();
    for (const remote of held) remote.end(() => wasClosed(remote.lock));
    this.#held.close();
  }

  // What the server says

  #hear(message: object): void {
    if (this.#events.hear(message)) return;
    const { data } = lostSchema.safeParse(message);
    if (data === undefined) return;
    const { resource_path, lock_id, problem } = data.lost;
    this.#held.find(resource_path, lock_id)?.end(() => errorOf(problem));
  }
}

function wasClosed({ resourcePath, agentId, lockId }: Lock): LockError {
  const message = `The lock manager that watched over the lock on ${JSON.stringify(resourcePath)} was closed.`;
  return new LockError("closed", message, { resourcePath, agentId, lockId });
}
