/** What holders are told of their locks: in time that they are lost (invariant I16), and nothing of a lost one stays behind (invariant I5). */
import type { CommitReply } from "../../src/store/store.js";
import { type Deed, type TrueLock } from "./deed.js";
import type { Handle, Ledger } from "./ledger.js";
import type { SimulatedProcess } from "./process.js";
import type { Report } from "./store-rules.js";
import type { Truth } from "./truth.js";
import type { VirtualTime } from "./virtual-time.js";

/** A step of the store clock that is smaller than the doubt about it is noticed only when the doubt has grown by drift. */
const stepDoubtMs = 30_000;
/** What came through too late is given back within this time, if nothing fails: a few slow calls. */
const giveBackMs = 12_000;

export class HolderRules {
  /** The store clock stepped last at this virtual time. */
  steppedAt = -Infinity;
  private readonly truth: Truth;
  private readonly ledger: Ledger;
  private readonly time: VirtualTime;
  private readonly storeTime: () => number;
  private readonly report: Report;
  /** What was extended by the commits of which nobody has heard yet. */
  private readonly extended = new Map<number, readonly TrueLock[]>();
  /** When somebody was last told of an extension, by lock id. */
  private readonly confirmedAt = new Map<string, number>();

  constructor(truth: Truth, ledger: Ledger, time: VirtualTime, storeTime: () => number, report: Report) {
    this.truth = truth;
    this.ledger = ledger;
    this.time = time;
    this.storeTime = storeTime;
    this.report = report;
  }

  hasStepped(lock: TrueLock): boolean {
    return this.steppedAt >= lock.setAt - stepDoubtMs;
  }

  /** A holder hears that its lock may have expired before it can be granted to another. */
  committed({ revision, granted, extended }: Deed): void {
    for (const lock of granted) this.watchExpiry(lock);
    for (const { lock } of extended) this.watchExpiry(lock);
    // By an extension: what several calls of one agent share ends with its ttl when none of them can tell that it was the last.
    const prolonged = extended.map(({ lock }) => lock).filter((lock) => !lock.isJoined);
    if (prolonged.length > 0) this.extended.set(revision, prolonged);
  }

  private watchExpiry(lock: TrueLock): void {
    const { expiresAt } = lock;
    this.time.at(this.time.now + Math.max(expiresAt - this.storeTime(), 0), () => {
      if (lock.expiresAt !== expiresAt || lock.endedAt !== undefined) return;
      for (const handle of this.ledger.handlesOf.get(lock.lockId) ?? []) this.checkTold(handle, lock);
    });
  }

  private checkTold({ process, isLeaving, signal, lock: { agentId } }: Handle, lock: TrueLock): void {
    if (isLeaving || !process.isAwake || signal.aborted) return;
    // Somebody else's change of the expiry is known only by a hint; and a clock that steps is not a clock that drifts.
    if (lock.setBy !== process.name || this.hasStepped(lock)) return;
    this.report("I16", `${lock.lockId} (${lock.path}) has expired, and ${agentId} was not told`);
  }

  /** The first look of a holder whose process was stopped for too long says that the lock is lost. */
  wokeUp(process: SimulatedProcess): void {
    for (const handle of this.ledger.handles) {
      if (handle.process !== process || handle.isLeaving) continue;
      const lock = this.truth.latest(handle.lock.lockId);
      if (lock === undefined || lock.expiresAt > this.storeTime() || lock.setBy !== process.name) continue;
      if (this.hasStepped(lock)) continue;
      if (!handle.lock.signal.aborted)
        this.report(
          "I16",
          `${handle.lock.agentId} wakes up and still believes in ${lock.lockId} (${lock.path})`,
        );
    }
  }

  /** Somebody was told that the lock is extended, by a call that names it, and has it. */
  confirmed(lockId: string): void {
    this.confirmedAt.set(lockId, this.time.now);
  }

  /** The process hears of a commit. An extension that came through after its holder was told of the loss is then given back. */
  heard(process: SimulatedProcess, { outcomes }: CommitReply): void {
    const revision = outcomes.find((one) => one.applied)?.revision ?? 0;
    for (const lock of this.extended.get(revision) ?? []) this.awaitReturn(lock, process);
    this.extended.delete(revision);
  }

  private awaitReturn(lock: TrueLock, process: SimulatedProcess): void {
    const { lockId, expiresAt } = lock;
    const { setbacks } = process;
    const { now } = this.time;
    if (expiresAt < this.storeTime() + giveBackMs) return;
    this.time.at(now + giveBackMs, () => {
      if (lock.expiresAt !== expiresAt || lock.isJoined || !this.stands(lock)) return;
      if ((this.confirmedAt.get(lockId) ?? -Infinity) >= now) return;
      if (!process.isAwake || process.awakeSince >= now || process.setbacks > setbacks) return;
      const handles = this.ledger.handlesOf.get(lockId) ?? [];
      const wasTold = handles.some((one) => one.process === process && one.signal.aborted);
      if (wasTold && handles.every((one) => one.isLeaving || one.signal.aborted))
        this.report(
          "I5",
          `${lockId} (${lock.path}) was extended when ${lock.agentId} had been told of its loss`,
        );
    });
  }

  private stands(lock: TrueLock): boolean {
    return lock.endedAt === undefined && lock.expiresAt > this.storeTime();
  }
}
