/** The lock manager in process: checks what it is asked, hands it to the pipeline, and turns the answers into locks and errors. */
import type { Clock } from "../clock/clock.js";
import type { Request } from "../core/claim.js";
import { check } from "../core/check.js";
import { lockKey } from "../core/keys.js";
import { expire, extend, type LockName, release, revoke } from "../core/release.js";
import { type ResourcePath, storedPath } from "../core/resource-path.js";
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
import type { Store, Subscription } from "../store/store.js";
import { Aborts } from "./aborts.js";
import { AcquireCall } from "./acquire-call.js";
import type { Config } from "./config.js";
import { type EventCounter, EventSource } from "./event-source.js";
import { Handle, type Keeper } from "./handle.js";
import { Happenings } from "./happenings.js";
import { type HeldLock, HeldLocks } from "./held-locks.js";
import { type AcquireInput, Inputs, reason, signalOf } from "./inputs.js";
import { Inspection } from "./inspection.js";
import { Liveness } from "./liveness.js";
import { lockOf } from "./lock-of.js";
import { closedError, Pipeline } from "./pipeline.js";
import { createReader, type Read, throwIfAborted } from "./reader.js";
import { conflictOf, lostError, notHolder } from "./refusals.js";
import { run, type Trip } from "./run.js";
import type { Services } from "./services.js";
import { StoreClock } from "./store-clock.js";
import { Sweeper } from "./sweeper.js";
import { TimerWheel } from "./timer-wheel.js";
import { WaitingRoom } from "./waiting-room.js";

/** Counts events, and says what they add up to. */
export interface MetricsSink extends EventCounter {
  text(): Promise<string>;
  close(): void;
}

export interface EngineOptions {
  readonly config: Config;
  readonly store: Store;
  /** True when closing the manager closes the store. */
  readonly ownsStore: boolean;
  readonly clock: Clock;
  readonly newId: () => string;
  /** Between 0 and 1. */
  readonly random: () => number;
  readonly metrics?: (activeLocks: () => Promise<number>) => MetricsSink;
}

/** How often the locks that somebody watches are compared with the store, in case a hint was lost. */
const revalidateEveryMs = 5_000;
const revalidatePage = 500;
const mostPathsPerCheck = 200;
/** How long `close` waits for what is under way. */
const closePatienceMs = 2_000;

export class Engine implements LockManager {
  readonly #options: EngineOptions;
  readonly #inputs: Inputs;
  readonly #inspection: Inspection;
  readonly #read: Read;
  readonly #services: Services;
  readonly #room: WaitingRoom;
  readonly #held: HeldLocks;
  readonly #liveness: Liveness;
  readonly #sweeper: Sweeper;
  readonly #keeper: Keeper;
  readonly #metrics: MetricsSink | undefined;
  #subscription: Subscription | undefined;
  #cancelRevalidation: () => void = () => undefined;
  #closing: Promise<void> | undefined;

  /** @throws LockError `store_unavailable` when the store cannot be read. */
  static async create(options: EngineOptions): Promise<Engine> {
    const engine = new Engine(options);
    await engine.#start();
    return engine;
  }

  private constructor(options: EngineOptions) {
    const { config, store, clock, newId, random } = options;
    this.#options = options;
    this.#inputs = new Inputs(config);
    const storeClock = new StoreClock(clock);
    const events = new EventSource();
    const services = (): Services => this.#services;
    this.#room = new WaitingRoom(services);
    this.#liveness = new Liveness(newId(), services);
    const happenings = new Happenings(events, storeClock, this.#room);
    const pipeline = new Pipeline({
      store,
      clock,
      storeClock,
      retry: config,
      random,
      managerId: () => this.#liveness.current(storeClock.latest()),
      onHappened: (happened, revision, command) =>
        happenings.tell(happened, revision, (lockId) => {
          const call = command instanceof AcquireCall ? command : this.#room.find(lockId);
          return call?.waitedMs;
        }),
      onCommitted: () => happenings.wake(),
    });
    this.#services = {
      store,
      clock,
      storeClock,
      random,
      newId,
      limits: config,
      pipeline,
      deadlines: new TimerWheel(clock, { background: false }),
      expiries: new TimerWheel(clock, { background: true }),
      aborts: new Aborts(),
      events,
      room: this.#room,
      presence: this.#liveness,
      background: (work) => pipeline.background(work),
    };
    this.#liveness.onLapse = () => this.#room.requeueAll();
    this.#read = createReader({ store, clock, storeClock, retry: config, random });
    this.#inspection = new Inspection(this.#read);
    this.#held = new HeldLocks(services, {
      extend: (held) => this.#extend(nameOf(held), held.holder.ttlMs, undefined),
      expire: (path) => this.#expire(path),
    });
    this.#sweeper = new Sweeper(services, this.#read, config.cleanupIntervalMs);
    this.#keeper = {
      signalOf: (held) => this.#held.signalOf(held),
      extend: (held, ttl) => this.#extendHeld(held, ttl),
      letGo: (held) => this.#letGo(held),
    };
    this.#metrics = options.metrics?.(() => this.getLockCount());
    if (this.#metrics !== undefined) events.count(this.#metrics);
  }

  async #start(): Promise<void> {
    const { store } = this.#options;
    await this.#read({});
    this.#subscription = await store.subscribe((paths) => this.#hinted(paths));
    this.#sweeper.start();
    this.#scheduleRevalidation();
  }

  // --- Acquiring.

  acquireLock(resourcePath: string, agentId: string, options: AcquireOptions = {}): Promise<AcquiredLock> {
    try {
      const resource = this.#inputs.path(resourcePath);
      const input = this.#inputs.acquire([resource], agentId, options);
      return new Promise((resolve, reject) => {
        this.#acquire(input, ([lock]) => lock !== undefined && resolve(lock), reject);
      });
    } catch (error) {
      return Promise.reject(asError(error));
    }
  }

  acquireMultipleLocks(
    resourcePaths: readonly string[],
    agentId: string,
    options: AcquireOptions = {},
  ): Promise<AcquiredLock[]> {
    try {
      const resources = this.#inputs.paths(resourcePaths);
      const input = this.#inputs.acquire(resources, agentId, options);
      if (resources.length === 0) return Promise.resolve([]);
      return new Promise((resolve, reject) => {
        this.#acquire(input, resolve, reject);
      });
    } catch (error) {
      return Promise.reject(asError(error));
    }
  }

  #acquire(
    input: AcquireInput,
    resolve: (locks: AcquiredLock[]) => void,
    reject: (error: unknown) => void,
  ): void {
    this.#assertOpen();
    throwIfAborted(input.signal);
    const { newId } = this.#options;
    const claims = input.resources.map((resource, index) => ({
      resource,
      lockId: newId(),
      ttlMs: input.ttlMs[index] ?? 0,
    }));
    const request: Request = {
      requestId: claims[0]?.lockId ?? "",
      agentId: input.agentId,
      mode: input.mode,
      scope: input.scope,
      claims,
      reason: input.reason,
      metadata: input.metadata,
    };
    const terms = { timeoutMs: input.timeoutMs, signal: input.signal };
    const call = new AcquireCall(this.#services, request, terms, {
      granted: (granted, revision) =>
        resolve(granted.map((one) => new Handle(this.#held.add(one, revision, input.autoExtend), this.#keeper))),
      refused: reject,
    });
    call.start();
  }

  async withLock<T>(
    resourcePath: string,
    agentId: string,
    options: AcquireOptions,
    work: (lock: AcquiredLock) => T | Promise<T>,
  ): Promise<T> {
    if (typeof work !== "function") throw invalid("work", typeof work, "a function");
    const lock = await this.acquireLock(resourcePath, agentId, { autoExtend: true, ...options });
    let result: T;
    try {
      result = await work(lock);
    } catch (error) {
      this.#services.background(this.#releaseQuietly(lock));
      throw error;
    }
    const loss: unknown = lock.signal.reason;
    if (!(await this.#releaseQuietly(lock)) && loss instanceof LockError) throw loss;
    return result;
  }

  /** A release that fails is told of by an event; the lock then ends with its ttl. */
  async #releaseQuietly(lock: AcquiredLock): Promise<boolean> {
    try {
      return await lock.release();
    } catch {
      return true;
    }
  }

  // --- Locks that exist.

  async releaseLock(
    resourcePath: string,
    agentId: string,
    lockId: string,
    options: CallOptions = {},
  ): Promise<boolean> {
    return this.#release(this.#name(resourcePath, agentId, lockId), signalOf(options.signal));
  }

  #name(resourcePath: string, agentId: string, lockId: string): LockName {
    return {
      resource: this.#inputs.path(resourcePath),
      agentId: this.#inputs.agent(agentId),
      lockId: this.#inputs.lockId(lockId),
    };
  }

  #release(name: LockName, signal?: AbortSignal): Promise<boolean> {
    const { limits, room } = this.#services;
    return this.#run({
      plan: (view) => release(view, name, limits.maxLocksPerAgent),
      answer: (reply, { revision, uncertain }) => {
        if (reply.kind === "not holder") throw notHolder("release", name, reply.holder);
        this.#held.released(name.resource.path, name.lockId);
        if (reply.kind === "released") room.serve(reply.promoted, revision);
        // What an earlier attempt without an answer was to end has ended.
        return reply.kind === "released" || uncertain;
      },
      onError: (error) => this.#tellFailed("release", name, error),
      signal,
    });
  }

  #letGo(held: HeldLock): Promise<boolean> {
    if (held.end !== undefined) return Promise.resolve(false);
    if (--held.handles > 0) return Promise.resolve(true);
    // A release wins over an extension that is under way.
    held.autoExtend = false;
    return this.#release(nameOf(held));
  }

  async extendLock(
    resourcePath: string,
    agentId: string,
    lockId: string,
    ttl?: Duration,
    options: CallOptions = {},
  ): Promise<Lock> {
    const name = this.#name(resourcePath, agentId, lockId);
    return this.#extend(name, this.#inputs.ttl(ttl, name.resource), signalOf(options.signal));
  }

  #extend(name: LockName, ttlMs: number | undefined, signal: AbortSignal | undefined): Promise<Lock> {
    return this.#run({
      plan: (view) => extend(view, name, ttlMs),
      answer: (reply, { revision }) => {
        switch (reply.kind) {
          case "extended":
            this.#held.extended(reply.granted);
            return lockOf(reply.granted.path, reply.granted.holder, revision);
          case "lost":
            throw lostError("extend", name, reply.expiredAt, this.#services.storeClock.latest());
          case "not holder":
            throw notHolder("extend", name, reply.holder);
        }
      },
      onError: (error) => this.#tellFailed("extend", name, error),
      signal,
    });
  }

  /** Once a holder was told `lost`, that stays so: an extension that came through all the same is given back. */
  async #extendHeld(held: HeldLock, ttl: Duration | undefined): Promise<Lock> {
    if (held.ended !== undefined) throw held.ended;
    const name = nameOf(held);
    const ttlMs = this.#inputs.ttl(ttl, name.resource) ?? held.holder.ttlMs;
    const lock = await this.#extend(name, ttlMs, undefined);
    // Ended while the extension was under way.
    const ended: LockError | undefined = held.ended;
    if (ended === undefined) return lock;
    this.#services.background(this.#release(name).catch(() => false));
    throw ended;
  }

  async forceRelease(resourcePath: string, options: ForceReleaseOptions): Promise<readonly Lock[]> {
    const resource = this.#inputs.path(resourcePath);
    if (typeof options !== "object" || options === null || options.reason === "") {
      throw invalid("reason", options?.reason, "why, in at most 200 characters");
    }
    const order = {
      reason: reason(options.reason),
      lockId: options.lockId === undefined ? undefined : this.#inputs.lockId(options.lockId),
      by: options.by === undefined ? undefined : this.#inputs.agent(options.by, "by"),
    };
    const { limits, room } = this.#services;
    return this.#run({
      plan: (view) => revoke(view, resource, order, limits.maxLocksPerAgent),
      answer: ({ revoked, promoted }, { revision }) => {
        for (const { path, holder } of revoked) {
          const held = this.#held.find(path, holder.lockId);
          if (held !== undefined) this.#held.lost(held, "revoked");
        }
        room.serve(promoted, revision);
        return revoked.map(({ path, holder }) => lockOf(path, holder, revision));
      },
      signal: signalOf(options.signal),
    });
  }

  #expire(path: string): void {
    const { pipeline, limits, room } = this.#services;
    const resource = storedPath(path);
    pipeline.submit({
      plan: (view) => expire(view, resource, "timer", limits.maxLocksPerAgent),
      // What this manager granted is known to it; if it is not any more, the sweep finds it.
      needsProof: () => false,
      done: (reply, { revision }) => room.serve(reply.promoted, revision),
      fail: () => undefined,
    });
  }

  // --- Looking.

  async getLock(resourcePath: string, options: CallOptions = {}): Promise<Lock | undefined> {
    this.#assertOpen();
    return this.#inspection.lock(this.#inputs.path(resourcePath), signalOf(options.signal));
  }

  async getResource(resourcePath: string, options: CallOptions = {}): Promise<ResourceState> {
    this.#assertOpen();
    return this.#inspection.resource(this.#inputs.path(resourcePath), signalOf(options.signal));
  }

  async listLocks(filter: ListFilter = {}): Promise<LockPage> {
    this.#assertOpen();
    return this.#inspection.list(this.#inputs.list(filter), signalOf(filter.signal));
  }

  async getAgentLocks(agentId: string, options: CallOptions = {}): Promise<readonly Lock[]> {
    return (await this.getAgent(agentId, options)).locks;
  }

  async getAgent(agentId: string, options: CallOptions = {}): Promise<AgentState> {
    this.#assertOpen();
    const { maxLocksPerAgent } = this.#options.config;
    return this.#inspection.agent(this.#inputs.agent(agentId), maxLocksPerAgent, signalOf(options.signal));
  }

  async getLockCount(options: CallOptions = {}): Promise<number> {
    this.#assertOpen();
    return this.#inspection.count(signalOf(options.signal));
  }

  async getStats(options: CallOptions = {}): Promise<LockStats> {
    this.#assertOpen();
    return this.#inspection.stats(signalOf(options.signal));
  }

  async checkLocks(
    resourcePaths: readonly string[],
    agentId: string,
    options: CallOptions = {},
  ): Promise<CheckResult> {
    const resources = this.#inputs.paths(resourcePaths, mostPathsPerCheck);
    const agent = this.#inputs.agent(agentId);
    return this.#run({
      plan: (view) => check(view, resources, agent),
      answer: (reply) => ({
        mine: reply.mine.map(({ path, holder, revision }) => lockOf(path, holder, revision)),
        theirs: reply.theirs.map(({ path, blockers }) => ({
          resourcePath: path,
          conflicts: blockers.map(conflictOf),
        })),
        free: reply.free,
      }),
      signal: signalOf(options.signal),
    });
  }

  events(filter: EventFilter = {}): AsyncIterableIterator<LockEvent> {
    this.#assertOpen();
    const prefix = filter.prefix === undefined ? undefined : this.#inputs.path(filter.prefix, "prefix").path;
    signalOf(filter.signal);
    return this.#services.events.read(filter, prefix);
  }

  async metrics(): Promise<string> {
    this.#assertOpen();
    if (this.#metrics === undefined) {
      throw invalid("type", "basic", '"enhanced": the basic lock manager has no metrics');
    }
    return this.#metrics.text();
  }

  currentTime(): Date {
    return new Date(this.#services.storeClock.latest());
  }

  // --- Word from elsewhere.

  #hinted(paths: readonly string[]): void {
    if (this.#closing !== undefined) return;
    this.#room.hinted(paths, (path) => storedPath(path).ancestors);
    const held = paths.flatMap((path) => [...this.#held.at(path)]);
    if (held.length > 0) this.#services.background(this.#revalidate(held));
  }

  #scheduleRevalidation(): void {
    this.#cancelRevalidation = this.#options.clock.after(
      revalidateEveryMs,
      () => {
        const watched = [...this.#held.all()].filter((held) => held.isWatched);
        this.#services.background(this.#revalidate(watched).then(() => this.#scheduleRevalidation()));
      },
      { background: true },
    );
  }

  /** Compares held locks with the store; the holder of one that is not there any more is told. */
  async #revalidate(held: readonly HeldLock[]): Promise<void> {
    for (let i = 0; i < held.length && this.#closing === undefined; i += revalidatePage) {
      const page = held.slice(i, i + revalidatePage);
      const before = page.map((one) => one.holder);
      try {
        const { entries } = await this.#read({ keys: page.map((one) => lockKey(one.path)) });
        for (const [index, one] of page.entries()) {
          // An extension that came meanwhile knows better.
          if (one.holder === before[index]) this.#held.compare(one, entries[index]);
        }
      } catch {
        // A store that cannot be read proves nothing; the expiry is watched in any case.
        return;
      }
    }
  }

  // --- Trips through the pipeline.

  #run<Reply, Answer>(trip: Trip<Reply, Answer>): Promise<Answer> {
    if (this.#closing !== undefined) return Promise.reject(closedError());
    return run(this.#services.pipeline, this.#services.aborts, trip);
  }

  #tellFailed(call: "release" | "extend", name: LockName, error: unknown): void {
    const { events, storeClock } = this.#services;
    if (!(error instanceof LockError)) return;
    events.emit({
      type: "failed",
      at: new Date(storeClock.latest()),
      resourcePath: name.resource.path,
      resourceType: name.resource.type,
      lockId: name.lockId,
      agentId: name.agentId,
      cause: error.code,
      call,
    });
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw closedError();
  }

  // --- Closing.

  close(options: { readonly release?: boolean } = {}): Promise<void> {
    this.#closing ??= this.#close(options.release ?? false);
    return this.#closing;
  }

  async #close(giveBack: boolean): Promise<void> {
    const { pipeline, deadlines, expiries, events } = this.#services;
    const { store, ownsStore } = this.#options;
    this.#cancelRevalidation();
    this.#sweeper.close();
    for (const call of this.#room.calls()) call.stop(closedError());
    const releases = giveBack ? [...this.#held.all()].map((held) => this.#giveBack(held)) : [];
    await this.#patiently(Promise.all([...releases, pipeline.idle()]));
    pipeline.close();
    this.#liveness.close();
    this.#room.close();
    for (const held of [...this.#held.all()]) this.#held.abandon(held);
    deadlines.close();
    expiries.close();
    await this.#subscription?.close();
    events.close();
    this.#metrics?.close();
    if (ownsStore) await store.close();
  }

  /** A release that fails is no reason not to close: the lock ends with its ttl. */
  #giveBack(held: HeldLock): Promise<unknown> {
    const { pipeline, limits, aborts } = this.#services;
    const name = nameOf(held);
    return run(pipeline, aborts, {
      plan: (view) => release(view, name, limits.maxLocksPerAgent),
      answer: () => this.#held.released(held.path, name.lockId),
    }).catch((error: unknown) => this.#tellFailed("release", name, error));
  }

  /** Waits for work, but not for ever on a store that does not answer. */
  async #patiently(work: Promise<unknown>): Promise<void> {
    let cancel: () => void = () => undefined;
    const patience = new Promise<void>((resolve) => {
      cancel = this.#options.clock.after(closePatienceMs, resolve);
    });
    await Promise.race([work, patience]);
    cancel();
  }
}

function nameOf(held: HeldLock): LockName {
  const { agentId, lockId } = held.holder;
  return { resource: storedPath(held.path), agentId, lockId };
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
