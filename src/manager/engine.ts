/** The lock manager in process: checks what it is asked, hands it to the pipeline, and turns the answers into locks and errors. */
import { check } from "../core/check.js";
import type { LockName } from "../core/release.js";
import { invalid } from "../errors.js";
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
import type { Subscription } from "../store/store.js";
import { workUnder } from "../work-under.js";
import { CallerForAll, CallerForOne, startAcquire } from "./acquiring.js";
import { assemble, type EngineOptions, type MetricsSink, type Parts } from "./assembly.js";
import { isReleased } from "./handle.js";
import { hintOf } from "./hint.js";
import { type AcquireInput, reason, requireObject, signalIn } from "./inputs.js";
import { lockOf } from "./lock-of.js";
import { closedError, conflictOf } from "./refusals.js";
import { run, type Trip } from "./run.js";
import type { Hearing } from "./waiting-call.js";

const mostPathsPerCheck = 200;
/** How long `close` waits for what is under way. */
const closePatienceMs = 2_000;

export class Engine implements LockManager {
  readonly #options: EngineOptions;
  readonly #parts: Parts;
  #metrics: MetricsSink | undefined;
  #subscription: Subscription | undefined;
  #closing: Promise<void> | undefined;

  /** @throws LockError `store_unavailable` when the store cannot be read. */
  static async create(options: EngineOptions): Promise<Engine> {
    const engine = new Engine(options);
    await engine.#start();
    return engine;
  }

  private constructor(options: EngineOptions) {
    this.#options = options;
    this.#parts = assemble(options);
  }

  async #start(): Promise<void> {
    const { store, metrics } = this.#options;
    await this.#parts.read({});
    this.#metrics = await metrics?.(() => this.getLockCount());
    if (this.#metrics !== undefined) this.#parts.services.events.countWith(this.#metrics);
    this.#subscription = await store.subscribe((texts, revision) => {
      if (this.#closing !== undefined) return;
      const hints = texts.map(hintOf);
      this.#parts.room.hinted(hints, revision);
      this.#parts.revalidation.hinted(hints, revision);
    });
    this.#parts.sweeper.start();
    this.#parts.revalidation.start();
  }

  // --- Acquiring.

  acquireLock(resourcePath: string, agentId: string, options: AcquireOptions = {}): Promise<AcquiredLock> {
    try {
      const resource = this.#parts.inputs.path(resourcePath);
      const input = this.#parts.inputs.acquire([resource], agentId, options);
      return new Promise((resolve, reject) => {
        this.#acquire(input, new CallerForOne(this.#parts, input, resolve, reject));
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
      const resources = this.#parts.inputs.paths(resourcePaths);
      const input = this.#parts.inputs.acquire(resources, agentId, options);
      if (resources.length === 0) {
        this.#assertOpen();
        return Promise.resolve([]);
      }
      return new Promise((resolve, reject) => {
        this.#acquire(input, new CallerForAll(this.#parts, input, resolve, reject));
      });
    } catch (error) {
      return Promise.reject(asError(error));
    }
  }

  #acquire(input: AcquireInput, caller: Hearing): void {
    this.#assertOpen();
    startAcquire(this.#parts.services, input, caller);
  }

  async withLock<T>(
    resourcePath: string,
    agentId: string,
    options: AcquireOptions,
    work: (lock: AcquiredLock) => T | Promise<T>,
  ): Promise<T> {
    if (typeof work !== "function") throw invalid("work", typeof work, "a function");
    requireObject("options", options);
    const lock = await this.acquireLock(resourcePath, agentId, { autoExtend: true, ...options });
    return workUnder(lock, isReleased, work);
  }

  releaseLock(
    resourcePath: string,
    agentId: string,
    lockId: string,
    options: CallOptions = {},
  ): Promise<boolean> {
    try {
      return this.#parts.commands.release(this.#name(resourcePath, agentId, lockId), signalIn(options));
    } catch (error) {
      return Promise.reject(asError(error));
    }
  }

  #name(resourcePath: string, agentId: string, lockId: string): LockName {
    return {
      resource: this.#parts.inputs.path(resourcePath),
      agentId: this.#parts.inputs.agent(agentId),
      lockId: this.#parts.inputs.lockId(lockId),
    };
  }

  async extendLock(
    resourcePath: string,
    agentId: string,
    lockId: string,
    ttl?: Duration,
    options: CallOptions = {},
  ): Promise<Lock> {
    const name = this.#name(resourcePath, agentId, lockId);
    return this.#parts.commands.extend(name, this.#parts.inputs.ttl(ttl, name.resource), signalIn(options));
  }

  async forceRelease(resourcePath: string, options: ForceReleaseOptions): Promise<readonly Lock[]> {
    const resource = this.#parts.inputs.path(resourcePath);
    if (typeof options !== "object" || options === null || options.reason === "") {
      throw invalid("reason", options?.reason, "why, in at most 200 characters");
    }
    const order = {
      reason: reason(options.reason),
      lockId: options.lockId === undefined ? undefined : this.#parts.inputs.lockId(options.lockId),
      by: options.by === undefined ? undefined : this.#parts.inputs.agent(options.by, "by"),
    };
    return this.#parts.commands.revoke(resource, order, signalIn(options));
  }

  // --- Looking.

  async getLock(resourcePath: string, options: CallOptions = {}): Promise<Lock | undefined> {
    this.#assertOpen();
    return this.#parts.inspection.lock(this.#parts.inputs.path(resourcePath), signalIn(options));
  }

  async getResource(resourcePath: string, options: CallOptions = {}): Promise<ResourceState> {
    this.#assertOpen();
    return this.#parts.inspection.resource(this.#parts.inputs.path(resourcePath), signalIn(options));
  }

  async listLocks(filter: ListFilter = {}): Promise<LockPage> {
    this.#assertOpen();
    return this.#parts.inspection.list(this.#parts.inputs.list(filter), signalIn(filter));
  }

  async getAgentLocks(agentId: string, options: CallOptions = {}): Promise<readonly Lock[]> {
    return (await this.getAgent(agentId, options)).locks;
  }

  async getAgent(agentId: string, options: CallOptions = {}): Promise<AgentState> {
    this.#assertOpen();
    const { maxLocksPerAgent } = this.#options.config;
    return this.#parts.inspection.agent(
      this.#parts.inputs.agent(agentId),
      maxLocksPerAgent,
      signalIn(options),
    );
  }

  async getLockCount(options: CallOptions = {}): Promise<number> {
    this.#assertOpen();
    return this.#parts.inspection.count(signalIn(options));
  }

  async getStats(options: CallOptions = {}): Promise<LockStats> {
    this.#assertOpen();
    return this.#parts.inspection.stats(signalIn(options));
  }

  async checkLocks(
    resourcePaths: readonly string[],
    agentId: string,
    options: CallOptions = {},
  ): Promise<CheckResult> {
    const resources = this.#parts.inputs.paths(resourcePaths, mostPathsPerCheck);
    const agent = this.#parts.inputs.agent(agentId);
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
      signal: signalIn(options),
    });
  }

  events(filter: EventFilter = {}): AsyncIterableIterator<LockEvent> {
    this.#assertOpen();
    return this.#parts.services.events.read(filter, this.#parts.inputs.events(filter));
  }

  async metrics(): Promise<string> {
    this.#assertOpen();
    if (this.#metrics === undefined) {
      throw invalid("type", "basic", '"enhanced": the basic lock manager has no metrics');
    }
    return this.#metrics.text();
  }

  currentTime(): Date {
    return new Date(this.#parts.services.storeClock.latest());
  }

  // --- Trips through the pipeline.

  #run<Reply, Answer>(trip: Trip<Reply, Answer>): Promise<Answer> {
    if (this.#closing !== undefined) return Promise.reject(closedError());
    return run(this.#parts.services.pipeline, this.#parts.services.aborts, trip);
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
    const { pipeline, deadlines, expiries, events } = this.#parts.services;
    const { store, ownsStore } = this.#options;
    this.#parts.revalidation.close();
    this.#parts.sweeper.close();
    this.#parts.room.close();
    const releases = (): Promise<unknown>[] =>
      giveBack ? [...this.#parts.held.all()].map((held) => this.#parts.commands.giveBack(held)) : [];
    // Once more at the end: for what was granted meanwhile.
    const work = Promise.all([...releases(), pipeline.idle()]).then(() => Promise.all(releases()));
    await this.#patiently(work);
    pipeline.close();
    this.#parts.liveness.close();
    this.#parts.held.abandonAll();
    deadlines.close();
    expiries.close();
    await this.#subscription?.close();
    events.close();
    this.#metrics?.close();
    if (ownsStore) await store.close();
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

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
