/** What to do when the store says no, fails, or does not say: try again soon, later, or once it is surely harmless; or give up. */
import { setMaxListeners } from "node:events";
import { type Clock, sleep } from "../clock/clock.js";
import { LockError } from "../errors.js";
import { type Store, StoreError } from "../store/store.js";
import type { Job } from "./job.js";
import type { StoreClock } from "./store-clock.js";

export interface RetryPolicy {
  readonly maxRetries: number;
  readonly retryDelayMs: number;
  readonly retryBackoff: number;
  readonly retryJitterMs: number;
}

interface Surroundings {
  readonly store: Store;
  readonly clock: Clock;
  readonly storeClock: StoreClock;
  readonly retry: RetryPolicy;
  readonly random: () => number;
  /** To be tried again with the next job on its path, at the latest after so many milliseconds. */
  readonly standAside: (job: Job, patienceMs: number) => void;
  /** The latest serial number of a store request. */
  readonly serial: () => number;
}

/** The first conflict is tried again at once, later ones within a growing time, so that rivals fall out of step. */
const conflictDelayMs = 0.5;
/** Whoever may have its turn has no rival but those who queue behind it, and they step back. */
const conflictsAtOnceInTurn = 8;
const longestConflictDelayMs = 50;
const triesInOvertime = 4;
const longestRetryDelayMs = 30_000;
/** Conflicts are fought out this long where no other time was given. */
const conflictPatienceMs = 5_000;

export class Failures {
  readonly #around: Surroundings;
  readonly #again: (job: Job) => void;
  readonly #closing = new AbortController();

  constructor(around: Surroundings, again: (job: Job) => void) {
    this.#around = around;
    this.#again = again;
    // One listener for each job that waits for its next try, which Node would take for a leak.
    setMaxListeners(0, this.#closing.signal);
  }

  /** Another writer was faster. */
  conflicted(job: Job): void {
    const { clock, random } = this.#around;
    if (job.cancelled) {
      job.command.fail(cancelledError(job));
      return;
    }
    const now = clock.monotonic();
    job.giveUpAt ??= now + conflictPatienceMs;
    job.conflicts++;
    if (job.overtime >= triesInOvertime) {
      job.command.fail(unavailable(job, new Error("Other writers were faster every time.")));
      return;
    }
    // When the time is up it is planned a few times more from what the store has just shown: nobody can overtake a refusal, but a path that became free.
    if (now >= job.giveUpAt) job.overtime++;
    const atOnce = job.command.isInTurn === true ? conflictsAtOnceInTurn : 1;
    const isTriedAtOnce = job.conflicts <= atOnce || job.overtime > 0;
    const { patienceMs = 0 } = job.command;
    if (patienceMs > 0 && (job.alone || !isTriedAtOnce)) {
      this.#around.standAside(job, patienceMs);
      return;
    }
    if (isTriedAtOnce) {
      this.#again(job);
      return;
    }
    const spread = Math.min(conflictDelayMs * 2 ** job.conflicts, longestConflictDelayMs);
    this.background(this.#later(job, random() * spread));
  }

  /** The store failed. `notAfter`: the store time after which the change that was sent cannot be applied any more. */
  failed(job: Job, error: unknown, notAfter: number): void {
    const failure = error instanceof StoreError ? error : undefined;
    // A change that only asks for proof has no outcome that could matter.
    const changes = job.writes.length + job.indexed.length > 0;
    const unknown = changes && notAfter > 0 && (failure === undefined || failure.outcome === "unknown");
    if (unknown) job.uncertain = true;
    this.background(this.#recover(job, error, failure?.retryable ?? true, unknown ? notAfter : 0));
  }

  close(): void {
    this.#closing.abort(new LockError("closed", "The lock manager was closed."));
  }

  /** Work that nobody awaits. It deals with its own failures; one that gets here is a bug of ours. */
  background(work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      queueMicrotask(() => {
        throw error;
      });
    });
  }

  async #later(job: Job, delayMs: number): Promise<void> {
    try {
      await sleep(this.#around.clock, delayMs, { signal: this.#closing.signal });
      // What the conflict has shown is old by now, where a path changes hands every few milliseconds.
      job.guessUpTo = this.#around.serial();
      this.#again(job);
    } catch (error) {
      job.command.fail(error);
    }
  }

  /** Waits until the failed attempt is surely over, then tries again or gives up. A read that clears it up belongs to the attempt. */
  async #recover(job: Job, error: unknown, retryable: boolean, notAfter: number): Promise<void> {
    const { retry } = this.#around;
    const signal = this.#closing.signal;
    try {
      for (;;) {
        job.failures++;
        if (!retryable || job.cancelled || job.failures > retry.maxRetries) {
          job.command.fail(unavailable(job, error));
          return;
        }
        await sleep(this.#around.clock, retryDelay(retry, job.failures, this.#around.random), { signal });
        if (notAfter === 0 || (await this.#isOver(notAfter, signal))) break;
      }
      // What was learned before the failed attempt was surely over proves nothing about it.
      job.since = this.#around.serial();
      this.#again(job);
    } catch (reason) {
      job.command.fail(reason);
    }
  }

  /** True once the store says that its time is past `notAfter`; false when it cannot be asked. */
  async #isOver(notAfter: number, signal: AbortSignal): Promise<boolean> {
    const { store, clock, storeClock } = this.#around;
    for (;;) {
      const sentAt = clock.monotonic();
      let storeTime: number;
      try {
        ({ storeTime } = await store.read({}));
      } catch (error) {
        if (error instanceof StoreError && !error.retryable) throw unreachable(error);
        return false;
      }
      storeClock.learn(storeTime, sentAt);
      if (storeTime > notAfter) return true;
      await sleep(clock, Math.max(notAfter - storeTime, 1), { signal });
    }
  }
}

/** The pause before the next try, in milliseconds. */
export function retryDelay(retry: RetryPolicy, failures: number, random: () => number): number {
  const delay = Math.min(retry.retryDelayMs * retry.retryBackoff ** (failures - 1), longestRetryDelayMs);
  return Math.max(delay + (random() * 2 - 1) * retry.retryJitterMs, 0);
}

function unreachable(cause: StoreError): LockError {
  return new LockError(
    "outcome_unknown",
    `The store does not answer any more: ${cause.message}`,
    {},
    { cause },
  );
}

/** What becomes of a command that was cancelled before it was done; an earlier attempt of it may have been applied all the same. */
export function cancelledError(job: Job): LockError {
  return job.uncertain
    ? new LockError("outcome_unknown", "The call was cancelled while its outcome was unknown.")
    : new LockError("aborted", "The call was cancelled before anything was changed.");
}

function unavailable(job: Job, cause: unknown): LockError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const tries = `${job.failures + job.conflicts} ${job.failures + job.conflicts === 1 ? "try" : "tries"}`;
  return job.uncertain
    ? new LockError(
        "outcome_unknown",
        `The store failed after ${tries}, and it may have done what was asked: ${why}`,
        { next: ["Look whether it was done before asking again; what is left of an acquire is cleaned up."] },
        { cause },
      )
    : new LockError(
        "store_unavailable",
        `The store failed after ${tries}, and nothing was changed: ${why}`,
        { next: ["Try again later."] },
        { cause },
      );
}
