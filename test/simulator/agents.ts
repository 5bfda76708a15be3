/** The agents: carry out what the script says, keep what they are given, and tell the oracle what they were told. */
import type { AcquiredLock, AcquireOptions } from "../../src/lock-manager.js";
import { Words } from "../scenarios/words.js";
import type { Fleet } from "./fleet.js";
import type { Call, Handle } from "./ledger.js";
import { look } from "./looks.js";
import type { Oracle } from "./oracle.js";
import { acquirePhrase } from "./phrases.js";
import type { SimulatedProcess } from "./process.js";
import type { WorldClock } from "./process-clock.js";
import type { Action, AgentAction } from "./script.js";
import type { Trace } from "./trace.js";
import type { VirtualTime } from "./virtual-time.js";

export interface Stage {
  readonly fleet: Fleet;
  readonly oracle: Oracle;
  readonly time: VirtualTime;
  readonly world: WorldClock;
  readonly trace: Trace | undefined;
}

/** How long a forced release may still be carried out after its caller was answered, at most. */
const lateMs = 12_000;
/** By which a lock is extended at the last moment. */
const longMs = 30_000;

export class Agents {
  /** Whatever they are granted, they give back at once. */
  areLeaving = false;
  /** How many acquires ended how. */
  granted = 0;
  refused = 0;
  private readonly stage: Stage;
  private readonly words: Words;
  private readonly working = new Set<() => void>();

  constructor(stage: Stage) {
    this.stage = stage;
    this.words = new Words(() => stage.oracle.storeTime);
  }

  perform(action: AgentAction): void {
    switch (action.kind) {
      case "acquire":
        this.acquire(action);
        return;
      case "release":
        this.release(action);
        return;
      case "extend":
        this.extend(action);
        return;
      case "revoke":
        this.revoke(action);
        return;
      case "look":
        this.look(action);
        return;
    }
  }

  // Acquiring.

  private acquire(action: Action & { kind: "acquire" }): void {
    const { fleet, oracle, time, trace } = this.stage;
    const process = fleet.awake(action.process);
    if (process?.manager === undefined) return;
    const { agentId, paths, mode, scope, ttlMs, timeoutMs, extending } = action;
    const abort = new AbortController();
    const options: AcquireOptions = {
      mode,
      scope,
      ttl: ttlMs,
      timeout: timeoutMs,
      autoExtend: extending,
      signal: abort.signal,
    };
    const call: Call = {
      process,
      agentId,
      paths,
      mode,
      scope,
      options,
      abort,
      timeoutMs,
      startedAt: time.now,
      since: oracle.truth.revision,
      state: "pending",
      answeredAt: 0,
    };
    const phrase = acquirePhrase(action);
    this.command(process, phrase);
    const firstId = process.ids + 1;
    const answer = action.isWork ? this.work(call, action.holdMs) : this.take(call, action);
    const ids = new Set<string>();
    for (let n = firstId; n <= process.ids; n++) ids.add(process.idAt(n));
    this.ownIds.set(call, ids);
    oracle.ledger.begin(call, [...ids]);
    oracle.called(call);
    answer.catch((error: unknown) => this.reject(call, error));
    if (action.abortMs === undefined) return;
    time.at(time.now + action.abortMs, () => {
      if (call.state !== "pending") return;
      trace?.note("command", `manager ${process.name}: cancel ${phrase.slice(phrase.indexOf(" ") + 1)}`);
      time.step();
      process.whenRunning(() => abort.abort());
    });
  }

  private readonly ownIds = new WeakMap<Call, ReadonlySet<string>>();

  private async take(call: Call, { holdMs, extendAfterMs }: Action & { kind: "acquire" }): Promise<void> {
    const { process, agentId, paths, options } = call;
    const manager = process.manager!;
    const locks =
      paths.length === 1
        ? [await manager.acquireLock(paths[0]!, agentId, options)]
        : await manager.acquireMultipleLocks(paths, agentId, options);
    const handles = this.accept(call, locks);
    if (extendAfterMs !== undefined) {
      process.clock.after(extendAfterMs, () => {
        for (const handle of handles) if (!handle.isLeaving) this.prolong(handle, longMs, false);
      });
    }
    if (this.areLeaving) for (const handle of handles) this.letGo(handle);
    else if (holdMs < Infinity) {
      process.clock.after(holdMs, () => {
        for (const handle of handles) if (!handle.isLeaving) this.letGo(handle);
      });
    }
  }

  private work(call: Call, holdMs: number): Promise<void> {
    const { process, agentId, paths, options } = call;
    let handle: Handle | undefined;
    return process
      .manager!.withLock(paths[0]!, agentId, options, async (lock) => {
        [handle] = this.accept(call, [lock]);
        await new Promise<void>((resolve) => {
          this.working.add(resolve);
          lock.signal.addEventListener("abort", () => resolve());
          if (this.areLeaving) resolve();
          else process.clock.after(holdMs, resolve);
        });
        this.leave(handle!);
      })
      .catch((error: unknown) => {
        // Once it has begun, its end may be that the lock was lost, or that the manager was closed.
        if (handle === undefined) throw error;
      });
  }

  private accept(call: Call, locks: readonly AcquiredLock[]): Handle[] {
    const { oracle, time } = this.stage;
    call.state = "granted";
    call.answeredAt = time.now;
    if (call.process.isDead) return [];
    this.granted++;
    oracle.acknowledged(call, locks, this.ownIds.get(call) ?? new Set());
    this.answer(() => locks.map((lock) => this.words.holds(lock)).join("; "));
    return locks.map((lock) => {
      const handle: Handle = { process: call.process, lock, signal: lock.signal, isLeaving: false };
      oracle.ledger.take(handle);
      if (call.options.autoExtend === true) oracle.ledger.extending.add(lock.lockId);
      if (call.process.isClosing) this.leave(handle);
      if (this.stage.trace !== undefined) {
        lock.signal.addEventListener("abort", () => {
          if (!handle.isLeaving)
            this.answer(() => `${lock.agentId} is told, ${this.words.error(lock.signal.reason)}`);
        });
      }
      return handle;
    });
  }

  private reject(call: Call, error: unknown): void {
    call.state = "refused";
    call.answeredAt = this.stage.time.now;
    if (call.process.isDead) return;
    this.refused++;
    this.stage.oracle.refused(call, error);
    this.answer(() => `${call.agentId} is refused, ${this.words.error(error)}`);
  }

  // Giving back.

  /** Once its agent has no other handle of the lock there, the lock may end. */
  private leave(handle: Handle): void {
    const { ledger } = this.stage.oracle;
    ledger.drop(handle);
    const { lockId } = handle.lock;
    const others = ledger.handlesOf.get(lockId) ?? [];
    if (!others.some((one) => one.process === handle.process && !one.isLeaving)) ledger.leaving.add(lockId);
  }

  private letGo(handle: Handle): void {
    const { agentId, resourcePath, lockId } = handle.lock;
    if (!handle.process.isAwake) return;
    this.command(handle.process, `release ${agentId} ${resourcePath}`);
    const { ledger } = this.stage.oracle;
    // A release by id that has no answer yet has left its handles open.
    const wasLeaving = ledger.leaving.has(lockId);
    this.leave(handle);
    const isLast = !wasLeaving && !(ledger.handlesOf.get(lockId) ?? []).some((one) => !one.isLeaving);
    const before = ledger.timesGranted(lockId);
    this.hear(handle.process, handle.lock.release(), (done) => {
      if (isLast) this.stage.oracle.released(lockId, agentId, done, before, handle.signal);
      return done ? `${agentId} has released ${resourcePath}` : `${agentId} had nothing to release`;
    });
  }

  private release({ which, how }: Action & { kind: "release" }): void {
    const { oracle, fleet } = this.stage;
    const handle = this.handle(which);
    if (handle === undefined) return;
    const { resourcePath, agentId, lockId } = handle.lock;
    if (how === "handle") {
      this.letGo(handle);
      return;
    }
    const process = how === "id elsewhere" ? fleet.living[which % fleet.living.length] : handle.process;
    if (process?.isAwake !== true) return;
    const as = how === "another agent" ? "mallory" : agentId;
    const id = how === "another id" ? "some-other-id" : lockId;
    const suffix = {
      id: " by id",
      "id elsewhere": " by id",
      "another id": " with another id",
      "another agent": " as mallory",
    };
    this.command(process, `release ${agentId} ${resourcePath}${suffix[how]}`);
    const isOwn = how === "id" || how === "id elsewhere";
    if (isOwn) oracle.ledger.leave(lockId);
    const before = oracle.ledger.timesGranted(lockId);
    this.hear(process, process.manager!.releaseLock(resourcePath, as, id), (done) => {
      if (isOwn) oracle.released(lockId, agentId, done, before);
      else if (done) oracle.report("I12", `${as} released ${lockId} (${resourcePath}) of ${agentId}`);
      return done ? `${agentId} has released ${resourcePath}` : `${agentId} had nothing to release`;
    });
  }

  private extend({ which, ttlMs, byId }: Action & { kind: "extend" }): void {
    const handle = this.handle(which);
    if (handle !== undefined) this.prolong(handle, ttlMs, byId);
  }

  private prolong({ process, lock, signal }: Handle, ttlMs: number, byId: boolean): void {
    if (!process.isAwake) return;
    const { resourcePath, agentId, lockId } = lock;
    const { oracle } = this.stage;
    this.command(process, `extend ${agentId} ${resourcePath}${byId ? " by id" : ""} for ${ttlMs}ms`);
    const work = byId
      ? process.manager!.extendLock(resourcePath, agentId, lockId, ttlMs)
      : lock.extend(ttlMs);
    const heard = work.then(
      (extended) => {
        oracle.extended(extended);
        return extended;
      },
      (error: unknown) => {
        oracle.notExtended(lockId, byId ? undefined : signal, error);
        throw error;
      },
    );
    this.hear(process, heard, (extended) => this.words.holdsFor(extended));
  }

  private revoke({ process: place, path }: Action & { kind: "revoke" }): void {
    const { fleet, oracle, time } = this.stage;
    const process = fleet.awake(place);
    if (process?.manager === undefined) return;
    this.command(process, `force release ${path} because "stuck"`);
    const revocation = oracle.ledger.revoking(path);
    const isOver = (): void => {
      time.at(time.now + lateMs, () => {
        revocation.until = oracle.truth.revision;
      });
    };
    const heard = process.manager.forceRelease(path, { reason: "stuck" }).finally(isOver);
    this.hear(process, heard, (locks) => {
      oracle.revoked(locks);
      return locks.length === 0
        ? "there was nothing to release"
        : `${locks.length} locks on ${path} were released by force`;
    });
  }

  private look({ process: place, what, path, agentId }: Action & { kind: "look" }): void {
    const { fleet, oracle } = this.stage;
    const process = fleet.awake(place);
    if (process?.manager === undefined) return;
    const phrases = {
      get: `get ${path}`,
      show: `show ${path}`,
      list: `locks below ${path}`,
      agent: `locks of ${agentId}`,
      count: "count",
    };
    this.command(process, phrases[what]);
    const glance = oracle.looks.begin(process.name, what, path, agentId);
    const shown = look(process.manager, glance).finally(() => oracle.looks.end(glance));
    this.hear(process, shown, (text) => {
      oracle.looks.check(glance, text);
      return text;
    });
  }

  /** Everybody who holds something gives it back, now and from now on; what nobody has any more, an operator ends. */
  giveBackAll(): void {
    const { fleet, oracle } = this.stage;
    this.areLeaving = true;
    const handles = [...oracle.ledger.handles].filter((handle) => handle.process.isAwake);
    const inHand = new Set(handles.map((handle) => handle.lock.lockId));
    for (const handle of handles) this.letGo(handle);
    for (const done of this.working) done();
    const place = fleet.places.findIndex((_, index) => fleet.awake(index) !== undefined);
    const left = [...oracle.truth.inForce()]
      .filter((lock) => !inHand.has(lock.lockId))
      .map((lock) => lock.path);
    for (const path of new Set(left)) this.revoke({ kind: "revoke", at: 0, process: place, path });
  }

  // Words.

  private handle(which: number): Handle | undefined {
    const handles = [...this.stage.oracle.ledger.handles].filter((one) => one.process.isAwake);
    return handles[which % Math.max(handles.length, 1)];
  }

  private command(process: SimulatedProcess, text: string): void {
    this.stage.trace?.note("command", `manager ${process.name}: ${text}`);
  }

  private answer(text: () => string): void {
    const { trace } = this.stage;
    if (trace !== undefined) trace.note("answer", text());
  }

  private hear<T>(process: SimulatedProcess, work: Promise<T>, tell: (value: T) => string): void {
    work.then(
      (value) => {
        if (process.isDead) return;
        const text = tell(value);
        this.answer(() => text);
      },
      (error: unknown) => this.answer(() => this.words.error(error)),
    );
  }
}
