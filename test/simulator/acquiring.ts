/** How agents come to have locks: they ask, wait, change their mind, and are granted or refused. */
import type { AcquiredLock, AcquireOptions } from "../../src/lock-manager.js";
import type { Holding } from "./holding.js";
import type { Call, Handle } from "./ledger.js";
import { acquirePhrase } from "./phrases.js";
import type { Action } from "./script.js";
import type { Narrator, Stage } from "./stage.js";

type Acquire = Action & { kind: "acquire" };

/** By which a lock is extended at the last moment. */
const longMs = 30_000;

export class Acquiring {
  /** Whatever they are granted, they give back at once. */
  areLeaving = false;
  /** How many acquires ended how. */
  granted = 0;
  refused = 0;
  private readonly stage: Stage;
  private readonly narrator: Narrator;
  private readonly holding: Holding;
  /** End the work under way. */
  private readonly working = new Set<() => void>();

  constructor(stage: Stage, narrator: Narrator, holding: Holding) {
    this.stage = stage;
    this.narrator = narrator;
    this.holding = holding;
  }

  acquire(action: Acquire): void {
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
    this.narrator.command(process, phrase);
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

  private async take(call: Call, action: Acquire): Promise<void> {
    const { holdMs, extendAfterMs, rival, ...same } = action;
    const { process, agentId, paths, options } = call;
    const manager = process.manager!;
    const locks =
      paths.length === 1
        ? [await manager.acquireLock(paths[0]!, agentId, options)]
        : await manager.acquireMultipleLocks(paths, agentId, options);
    const handles = this.accept(call, locks);
    if (rival !== undefined) {
      const { time, oracle } = this.stage;
      const left = (oracle.truth.latest(locks[0]!.lockId)?.expiresAt ?? 0) - oracle.storeTime;
      time.at(time.now + left - rival.beforeMs, () =>
        this.acquire({ ...same, ...rival, holdMs, timeoutMs: 0 }),
      );
    }
    if (extendAfterMs !== undefined) {
      process.clock.after(extendAfterMs, () => {
        for (const handle of handles) if (!handle.isLeaving) this.holding.prolong(handle, longMs, false);
      });
    }
    if (this.areLeaving) for (const handle of handles) this.holding.letGo(handle);
    else if (holdMs < Infinity) {
      process.clock.after(holdMs, () => {
        for (const handle of handles) if (!handle.isLeaving) this.holding.letGo(handle);
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
        this.holding.leave(handle!);
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
    this.narrator.answer(() => locks.map((lock) => this.narrator.words.holds(lock)).join("; "));
    return locks.map((lock) => {
      const handle: Handle = { process: call.process, lock, signal: lock.signal, isLeaving: false };
      oracle.ledger.take(handle);
      if (call.options.autoExtend === true) oracle.ledger.extending.add(lock.lockId);
      if (call.process.isClosing) this.holding.leave(handle);
      if (this.narrator.isHeard) {
        lock.signal.addEventListener("abort", () => {
          if (!handle.isLeaving)
            this.narrator.answer(
              () => `${lock.agentId} is told, ${this.narrator.words.error(lock.signal.reason)}`,
            );
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
    this.narrator.answer(() => `${call.agentId} is refused, ${this.narrator.words.error(error)}`);
  }

  /** From now on nobody keeps anything, and work under way ends. */
  leaveAll(): void {
    this.areLeaving = true;
    for (const done of this.working) done();
  }
}
