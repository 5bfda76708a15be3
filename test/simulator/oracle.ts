/** Puts the truth beside what was promised, whenever something happens. It never asks the core: it would then judge itself. */

import { LockError } from "../../src/errors.js";
import type { AcquiredLock, Lock } from "../../src/lock-manager.js";
import type { Change, CommitReply, ReadReply } from "../../src/store/store.js";
import type { TrueLock } from "./deed.js";
import { HolderRules } from "./holder-rules.js";
import type { Call } from "./ledger.js";
import { Ledger } from "./ledger.js";
import { Looks } from "./looks.js";
import type { SimulatedProcess } from "./process.js";
import type { WorldClock } from "./process-clock.js";
import { checkCycle, checkHeld } from "./refusal-rules.js";
import { longestDoubtMs, type Report, StoreRules } from "./store-rules.js";
import type { Trace } from "./trace.js";
import type { Witness } from "./true-store.js";
import { Truth } from "./truth.js";
import type { VirtualTime } from "./virtual-time.js";
import type { Weather } from "./weather.js";

export interface Violation {
  readonly invariant: string;
  readonly sentence: string;
  /** Virtual time. */
  readonly at: number;
}

/** A withdrawal is awaited for 25 ms, and a timer fires up to 4 ms late. */
const timeoutSlackMs = 40;
/** Who does not wait in the queue still waits for the store, try by try. */
const longestTryMs = 60_000;

export class Oracle implements Witness {
  readonly truth = new Truth();
  readonly ledger = new Ledger();
  readonly looks: Looks;
  /** The first thing that was wrong. */
  violation: Violation | undefined;
  readonly holders: HolderRules;
  private readonly rules: StoreRules;
  private readonly time: VirtualTime;
  private readonly world: WorldClock;
  private readonly trace: Trace | undefined;
  private readonly weather: Weather;
  private readonly anchor: number;
  private readonly releases = new Map<string, number>();

  constructor(weather: Weather, time: VirtualTime, world: WorldClock, trace: Trace | undefined) {
    this.weather = weather;
    this.time = time;
    this.world = world;
    this.trace = trace;
    this.anchor = world.now() - world.monotonic();
    this.rules = new StoreRules(this.truth, this.ledger, weather.limits, this.report);
    this.holders = new HolderRules(this.truth, this.ledger, time, () => this.storeTime, this.report);
    this.looks = new Looks(this.truth, this.report);
  }

  readonly report: Report = (invariant, sentence) => {
    this.violation ??= { invariant, sentence, at: this.time.now };
  };

  get storeTime(): number {
    return this.anchor + this.world.monotonic();
  }

  // What the store does.

  committed(process: string, changes: readonly Change[], { outcomes, storeTime }: CommitReply): void {
    const { truth } = this;
    if (storeTime < truth.storeTime) this.report("I15", `store time went back to ${storeTime}`);
    const last = truth.revision;
    const deed = truth.apply(changes, outcomes, storeTime, process, this.time.now);
    if (this.trace !== undefined) this.describe(process, changes, outcomes);
    if (deed !== undefined) {
      if (deed.revision <= last) this.report("I2", `revision ${deed.revision} came after ${last}`);
      this.rules.check(deed);
      this.holders.committed(deed);
    }
    this.looks.glimpse(process);
  }

  wasRead(process: string, { storeTime }: ReadReply): void {
    if (storeTime < this.truth.storeTime) this.report("I15", `store time went back to ${storeTime}`);
    this.truth.storeTime = storeTime;
    this.trace?.note("detail", `${process} reads at ${storeTime}`);
    this.looks.glimpse(process);
  }

  private describe(process: string, changes: readonly Change[], outcomes: CommitReply["outcomes"]): void {
    for (const [index, outcome] of outcomes.entries()) {
      const { expect, put, remove } = changes[index]!;
      const what = outcome.applied ? `applied ${outcome.revision}` : outcome.late ? "late" : "refused";
      this.trace?.note("detail", `${process} ${what} ${JSON.stringify({ put, remove, expect })}`);
    }
  }

  wokeUp(process: SimulatedProcess): void {
    this.holders.wokeUp(process);
  }

  // What agents are told.

  called(call: Call): void {
    const { timeoutMs, startedAt, process } = call;
    const patience = timeoutMs === 0 ? longestTryMs : timeoutMs * 1.001;
    if (patience === Infinity) return;
    this.time.at(startedAt + patience + timeoutSlackMs, () => {
      if (call.state !== "pending" || !process.isAwake || process.awakeSince > startedAt) return;
      this.report("timeout", `no answer in time to ${call.agentId}, who wanted ${call.paths.join(" ")}`);
    });
  }

  acknowledged(call: Call, locks: readonly AcquiredLock[], ownIds: ReadonlySet<string>): void {
    const paths = locks.map((lock) => lock.resourcePath);
    if (paths.join(" ") !== call.paths.join(" "))
      this.report("I8", `${call.agentId} asked for ${call.paths.join(" ")} and got ${paths.join(" ")}`);
    let fresh: number | undefined;
    for (const lock of locks) {
      const stored = this.truth.history.get(lock.lockId)?.find((one) => one.token === lock.fencingToken);
      if (stored === undefined) {
        this.report("I4", `${lock.lockId} (${lock.resourcePath}) was acknowledged, but never granted`);
        continue;
      }
      this.checkDetails(lock, stored);
      if (lock.mode !== call.mode || lock.scope !== call.scope || lock.agentId !== call.agentId)
        this.report("I13", `${lock.lockId} (${lock.resourcePath}) is not what was asked for`);
      const wasWanted =
        this.ledger.leaving.has(lock.lockId) || this.ledger.mayBeRevoked(lock.resourcePath, stored.token);
      if (stored.endedInForce && !wasWanted && !this.wasToldLost(lock.lockId, call))
        this.report(
          "I4",
          `${lock.lockId} (${lock.resourcePath}) was acknowledged after it had been given back`,
        );
      if (!ownIds.has(lock.lockId)) continue;
      if (fresh !== undefined && fresh !== stored.token && this.truth.history.get(lock.lockId)!.length === 1)
        this.report("I8", `the locks of one request, ${call.paths.join(" ")}, have several tokens`);
      // What an attempt without an answer was granted may have ended in part, and is then granted anew.
      if (this.truth.history.get(lock.lockId)!.length === 1) fresh = stored.token;
    }
  }

  /** And gives it back, without knowing of what the agent acquires through another process. */
  private wasToldLost(lockId: string, { process }: Call): boolean {
    return (this.ledger.handlesOf.get(lockId) ?? []).some(
      (one) => one.process.isDead || (one.process !== process && one.signal.aborted),
    );
  }

  private checkDetails(lock: Lock, stored: TrueLock): void {
    const { agentId, path, mode, scope, acquiredAt } = stored;
    const granted = [path, agentId, mode, scope, stored.token, new Date(acquiredAt).getTime()].join(" ");
    const told = [
      lock.resourcePath,
      lock.agentId,
      lock.mode,
      lock.scope,
      lock.fencingToken,
      lock.acquiredAt.getTime(),
    ].join(" ");
    if (told !== granted)
      this.report("I13", `${lock.lockId} was granted as ${granted}, and told of as ${told}`);
    this.checkExpiry(lock.lockId, lock.expiresAt.getTime(), stored);
  }

  /** No longer than it ever was. Of several changes in one commit only the last can be seen, so it is looked at when all were answered. */
  private checkExpiry(lockId: string, told: number, stored: TrueLock): void {
    if (told <= Math.max(...stored.expiries) || this.ledger.extending.has(lockId)) return;
    const now = this.time.now;
    this.time.at(now, () => {
      if (stored.endedAt === undefined && !this.ledger.isCrowded(lockId, now))
        this.report("I13", `${lockId} (${stored.path}) was told to last longer than it does`);
    });
  }

  refused(call: Call, error: unknown): void {
    if (!(error instanceof LockError)) {
      this.report("errors", `${call.agentId} was refused with ${String(error)}`);
      return;
    }
    const waited = (this.time.now - call.startedAt) * 1.001;
    if (error.code === "held") {
      if (call.timeoutMs > 0 && waited < call.timeoutMs - 0.01)
        this.report("timeout", `${call.agentId} was refused after ${waited} of ${call.timeoutMs} ms`);
      checkHeld(this.truth, call, error, this.report);
    }
    if (error.code === "deadlock") checkCycle(this.truth, this.ledger, call, error, this.report);
    if (this.weather.isCalm && error.family === "failed")
      this.report("errors", `${call.agentId} was refused on a calm sea: ${error.message}`);
  }

  /** `before`: how many calls had been granted the lock when the release began. */
  released(lockId: string, agentId: string, done: boolean, before: number, signal?: AbortSignal): void {
    // Once a holder was told that the lock is lost, it has nothing to release.
    if (!done && signal?.aborted === true) return;
    // A call of the same agent that was granted the lock while its release was fought out keeps it.
    if (done && this.ledger.timesGranted(lockId) > before) return;
    const lock = this.truth.latest(lockId);
    const stands = lock !== undefined && lock.endedAt === undefined && lock.expiresAt > this.storeTime;
    if (stands && !this.seemedExpired(lock))
      this.report("I12", `${agentId} was told that ${lockId} is released, and it is in force`);
    if (!done) return;
    const times = (this.releases.get(lockId) ?? 0) + 1;
    this.releases.set(lockId, times);
    if (times > 1 && !this.hasDoubt)
      this.report("I12", `${agentId} was told twice that ${lockId} was released`);
  }

  /** It was extended just before its time was up: who saw it before that, and the clock after, takes it for expired. */
  private seemedExpired({ expiries, setAt }: TrueLock): boolean {
    const before = expiries.at(-2) ?? Infinity;
    return before <= this.storeTime && setAt >= this.time.now - longestDoubtMs;
  }

  private get hasDoubt(): boolean {
    const { chances, restarts, outages } = this.weather;
    return (chances.replyLost ?? chances.late ?? chances.slow) !== undefined || restarts || outages;
  }

  extended(lock: Lock): void {
    this.ledger.touched(lock.lockId, this.time.now);
    this.holders.confirmed(lock.lockId);
    const stored = this.truth.history.get(lock.lockId)?.find((one) => one.token === lock.fencingToken);
    if (stored === undefined) this.report("I3", `${lock.lockId} was extended under another token`);
    else this.checkDetails(lock, stored);
  }

  notExtended(lockId: string, signal: AbortSignal | undefined, error: unknown): void {
    // It may have come through all the same, in one commit with others.
    this.ledger.touched(lockId, this.time.now);
    if (!(error instanceof LockError)) {
      this.report("errors", `an extension failed with ${String(error)}`);
      return;
    }
    if (error.code !== "lost" || signal?.aborted === true) return;
    const lock = this.truth.latest(lockId);
    if (lock === undefined || lock.endedAt !== undefined || this.holders.hasStepped(lock)) return;
    if (lock.expiresAt > this.storeTime + longestDoubtMs && !this.seemedExpired(lock))
      this.report("I11", `${lock.agentId} cannot extend ${lockId} (${lock.path}), which is in force`);
  }

  revoked(locks: readonly Lock[]): void {
    for (const { lockId, resourcePath } of locks) {
      const lock = this.truth.latest(lockId);
      if (lock !== undefined && lock.endedAt === undefined && lock.expiresAt > this.storeTime)
        this.report("I12", `${lockId} (${resourcePath}) was revoked, and still stands`);
    }
  }
}
