/** A lock that this process acquired from a server: watched until it may have expired, extended meanwhile if that is wanted. */
import type { Clock } from "../clock/clock.js";
import { finestMs, Timed, type TimerWheel } from "../clock/timer-wheel.js";
import { formatDuration } from "../duration.js";
import { afterLoss, LockError } from "../errors.js";
import type { Lock } from "../lock-manager.js";
import type { StoreTime } from "./store-time.js";

/** A holder hears of the loss this much before anybody else can have the lock, for a timer fires up to a bucket late. */
const marginMs = finestMs;
/** An automatic extension that failed is tried again this much later, as long as the lock is in force. */
const extensionRetryMs = 250;
/** A timer this late was not kept by a busy process, but by one that was stopped. */
const pauseMs = 1_000;
const noneOpen: readonly number[] = [];

export interface RemoteLockParts {
  readonly clock: Clock;
  readonly storeTime: StoreTime;
  readonly timers: TimerWheel;
  /** What is wrong with the way to the server, in words. */
  readonly trouble: () => string | undefined;
  /** It is time to extend it. */
  readonly onExtensionDue: () => void;
  /** Called once, when it is no longer held. */
  readonly onEnd: (lock: RemoteLock) => void;
}

export class RemoteLock extends Timed {
  /** Acquires that were not released again. */
  handles = 0;
  /** Acquires that got it, ever. */
  grants = 0;
  autoExtend = false;
  /** Its automatic extension is under way. */
  isExtending = false;
  /** When it is to be extended, on the monotonic clock. */
  extendAt = Infinity;
  readonly #parts: RemoteLockParts;
  #lock: Lock;
  /** Until when it lasts at the least if extensions are carried out that have no answer yet; on the monotonic clock. */
  #open: readonly number[] = noneOpen;
  /** Made when the holder first looks at the signal: most never do. */
  #controller: AbortController | undefined = undefined;
  /** Made when somebody asks: an error is costly, and most locks end by their own release. */
  #whyEnded: (() => LockError) | undefined = undefined;

  constructor(lock: Lock, parts: RemoteLockParts) {
    super();
    this.#lock = lock;
    this.#parts = parts;
  }

  get lock(): Lock {
    return this.#lock;
  }

  /** Why it is no longer held. */
  get ended(): LockError | undefined {
    return this.#whyEnded?.();
  }

  get isOver(): boolean {
    return this.#whyEnded !== undefined;
  }

  /** A process that slept looks before it believes. */
  get signal(): AbortSignal {
    if (!this.isOver && this.#safeUntil <= this.#parts.clock.monotonic()) this.onDue();
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.isOver) this.#controller.abort(this.ended);
    }
    return this.#controller.signal;
  }

  /** A newer state of the same lock. */
  prolong(lock: Lock): void {
    if (this.isOver) return;
    this.#lock = lock;
    this.extendAt = this.#parts.clock.monotonic() + lock.ttlMs / 3;
    this.#schedule();
  }

  /** An extension is about to be sent: until it is known what came of it, the earlier end counts. @returns what says that it is known. */
  openExtension(ttlMs: number): () => void {
    const until = this.#parts.storeTime.localSpan(ttlMs) + this.#parts.clock.monotonic();
    this.#open = [...this.#open, until];
    this.#schedule();
    return () => {
      this.#open = this.#open.filter((one) => one !== until);
      this.#schedule();
    };
  }

  /** An automatic extension failed, and is tried again soon. */
  extendSoon(): void {
    this.extendAt = this.#parts.clock.monotonic() + extensionRetryMs;
    this.#schedule();
  }

  /** It is no longer held, for good. */
  end(why: () => LockError): void {
    if (this.isOver) return;
    let made: LockError | undefined;
    this.#whyEnded = () => (made ??= why());
    this.#parts.timers.remove(this);
    this.#parts.onEnd(this);
    this.#controller?.abort(this.ended);
  }

  /** It is lost, and its holder is told how. */
  lose(how: string): void {
    const { resourcePath, agentId, lockId } = this.#lock;
    const message = `The lock on ${JSON.stringify(resourcePath)} is lost: ${how}.`;
    this.end(() => new LockError("lost", message, { resourcePath, agentId, lockId, next: afterLoss }));
  }

  onDue(): void {
    const { clock, onExtensionDue } = this.#parts;
    const now = clock.monotonic();
    if (this.#safeUntil <= now) {
      this.lose(this.#howItExpired(now));
      return;
    }
    if (this.autoExtend && !this.isExtending && this.extendAt <= now) onExtensionDue();
    this.#schedule();
  }

  /** Until then nobody else is granted it, on the monotonic clock. */
  get #safeUntil(): number {
    const { clock, storeTime } = this.#parts;
    const left = storeTime.localSpan(this.#lock.expiresAt.getTime() - storeTime.latest());
    let until = clock.monotonic() + left;
    for (const end of this.#open) until = Math.min(until, end);
    return until - marginMs;
  }

  #schedule(): void {
    if (this.isOver) return;
    const extendAt = this.autoExtend && !this.isExtending ? this.extendAt : Infinity;
    this.#parts.timers.set(this, Math.min(this.#safeUntil, extendAt));
  }

  /** How, since when, and what this process knows of the reasons. */
  #howItExpired(now: number): string {
    const { storeTime, trouble } = this.#parts;
    const facts: string[] = [];
    const lateMs = storeTime.latest() - this.#lock.expiresAt.getTime();
    if (lateMs > marginMs) facts.push(`it may have been over for ${formatDuration(lateMs)}`);
    const stoppedMs = now - this.due;
    if (stoppedMs > pauseMs) facts.push(`this process was stopped for ${formatDuration(stoppedMs)}`);
    const why = trouble();
    if (why !== undefined) facts.push(why);
    return ["it expired without having been extended", ...facts].join("; ");
  }
}
