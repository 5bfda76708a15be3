/** A lock that this process acquired from a server: watched until it may have expired, extended meanwhile if that is wanted. */
import type { Cancel, Clock } from "../clock/clock.js";
import { formatDuration } from "../duration.js";
import { LockError } from "../errors.js";
import type { Lock } from "../lock-manager.js";
import type { StoreTime } from "./store-time.js";

/** An automatic extension that failed is tried again this much later, as long as the lock is in force. */
const extensionRetryMs = 250;
/** What the timers of this process may be late. */
const timerMarginMs = 10;

export interface RemoteLockParts {
  readonly clock: Clock;
  readonly storeTime: StoreTime;
  /** Extends by the lock's own ttl, and tells the lock by `prolong`. */
  readonly extend: (lock: Lock) => Promise<unknown>;
  /** Called once, when it is no longer held. */
  readonly onEnd: (lock: RemoteLock) => void;
}

export class RemoteLock {
  /** Acquires that were not released again. */
  handles = 0;
  autoExtend = false;
  readonly #parts: RemoteLockParts;
  readonly #controller = new AbortController();
  #lock: Lock;
  #extendAt = Infinity;
  #cancel: Cancel = () => {};

  constructor(lock: Lock, parts: RemoteLockParts) {
    this.#lock = lock;
    this.#parts = parts;
  }

  get lock(): Lock {
    return this.#lock;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** A newer state of the same lock. */
  prolong(lock: Lock): void {
    if (this.signal.aborted) return;
    this.#lock = lock;
    this.#extendAt = this.#parts.clock.monotonic() + lock.ttlMs / 3;
    this.#schedule();
  }

  /** It is no longer held, for good. */
  end(why: LockError): void {
    if (this.signal.aborted) return;
    this.#cancel();
    this.#parts.onEnd(this);
    this.#controller.abort(why);
  }

  /** Why it ended, as told to its holder. */
  lostBecause(state: string): LockError {
    const { resourcePath, agentId, lockId } = this.#lock;
    const message = `The lock on ${JSON.stringify(resourcePath)} is lost: ${state}.`;
    return new LockError("lost", message, { resourcePath, agentId, lockId });
  }

  /** How long it surely stays in force: until then nobody else is granted it. */
  get #safeForMs(): number {
    return this.#lock.expiresAt.getTime() - this.#parts.storeTime.latest() - timerMarginMs;
  }

  #schedule(): void {
    this.#cancel();
    if (this.signal.aborted) return;
    const untilExtension = this.autoExtend ? this.#extendAt - this.#parts.clock.monotonic() : Infinity;
    const delay = Math.max(0, Math.min(this.#safeForMs, untilExtension));
    this.#cancel = this.#parts.clock.after(delay, () => this.#onDue(), { background: true });
  }

  #onDue(): void {
    const { clock, storeTime } = this.#parts;
    if (this.#safeForMs <= 0) {
      const late = Math.max(0, storeTime.latest() - this.#lock.expiresAt.getTime());
      this.end(
        this.lostBecause(
          late > 0 ? `it may have expired ${formatDuration(late)} ago` : "it is about to expire",
        ),
      );
      return;
    }
    if (this.autoExtend && this.#extendAt <= clock.monotonic()) {
      this.#extendAt = clock.monotonic() + extensionRetryMs;
      this.#extend();
    }
    this.#schedule();
  }

  #extend(): void {
    this.#parts.extend(this.#lock).catch((error: unknown) => {
      // Any other failure is tried again, until the lock may have expired.
      if (error instanceof LockError && (error.code === "lost" || error.code === "not_holder"))
        this.end(this.lostBecause("it is no longer in force"));
    });
  }
}
