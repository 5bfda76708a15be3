/** Reading the store for callers: tried again when it fails, and every failure an error they know. */

import type { Aborts, CallSignal } from "../aborts.js";
import type { Clock } from "../clock/clock.js";
import { LockError } from "../errors.js";
import { type Query, type ReadReply, type Store, StoreError } from "../store/store.js";
import { type RetryPolicy, retryDelay } from "./failures.js";
import type { StoreClock } from "./store-clock.js";

export interface ReaderOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly storeClock: StoreClock;
  readonly retry: RetryPolicy;
  readonly random: () => number;
  readonly aborts: Aborts;
}

export type Read = (query: Query, signal?: AbortSignal) => Promise<ReadReply>;

/** @returns a `read` that throws LockErrors only: `aborted`, `store_unavailable`. */
export function createReader({ store, clock, storeClock, retry, random, aborts }: ReaderOptions): Read {
  return async (query, signal) => {
    for (let failures = 1; ; failures++) {
      throwIfAborted(signal);
      const sentAt = clock.monotonic();
      try {
        const reply = await store.read(query, signal === undefined ? {} : { signal });
        storeClock.learn(reply.storeTime, sentAt);
        return reply;
      } catch (cause) {
        throwIfAborted(signal);
        const retryable = !(cause instanceof StoreError) || cause.retryable;
        if (!retryable || failures > retry.maxRetries) throw unreadable(failures, cause);
      }
      await pause(clock, retryDelay(retry, failures, random), aborts, signal);
    }
  };
}

/** Ends early when the signal aborts. */
function pause(clock: Clock, ms: number, aborts: Aborts, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      cancel();
      if (signal !== undefined) aborts.remove(signal, end);
      resolve();
    };
    const cancel = clock.after(ms, end);
    if (signal !== undefined) aborts.add(signal, end);
  });
}

export function throwIfAborted(signal: CallSignal | undefined): void {
  if (signal?.aborted) throw abortedCall(signal);
}

export function abortedCall(signal: CallSignal): LockError {
  return new LockError("aborted", "The call was aborted by its caller.", {}, { cause: signal.reason });
}

function unreadable(failures: number, cause: unknown): LockError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const tries = failures === 1 ? "1 try" : `${failures} tries`;
  return new LockError(
    "store_unavailable",
    `The store could not be read after ${tries}: ${why}`,
    { next: ["Try again later."] },
    { cause },
  );
}
