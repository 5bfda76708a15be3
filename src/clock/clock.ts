/** The clock port: the only way the program learns the time or waits. Handed in at construction, so that tests own it. */

/** Takes back a scheduled call. Harmless when the call was already made or taken back. */
export type Cancel = () => void;

export interface ScheduleOptions {
  /** True for work that must not keep the process alive (sweeps, expiry, polls). Default false. */
  readonly background?: boolean;
}

export interface Clock {
  /** Wall clock in milliseconds since the Unix epoch. May step; nothing about locks is decided by it. */
  now(): number;
  /** Milliseconds, with fractions, since an arbitrary origin. Never goes back. */
  monotonic(): number;
  /**
   * Calls `run` once when at least `delayMs` have passed on the monotonic clock.
   *
   * Any delay is allowed: long ones are chained (Node fires timers of 2^31 ms and more at once), `Infinity` never fires,
   * zero and less fire in a later turn of the event loop. `NaN` is a `RangeError`.
   */
  after(delayMs: number, run: () => void, options?: ScheduleOptions): Cancel;
  /** Calls `run` in a later turn of the event loop, after input and output had their chance. */
  nextTurn(run: () => void): void;
}

/** Resolves after `delayMs`; rejects with the signal's reason when aborted first, leaving no timer and no listener. */
export function sleep(
  clock: Clock,
  delayMs: number,
  options: ScheduleOptions & { readonly signal?: AbortSignal } = {},
): Promise<void> {
  const { signal } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = clock.after(
      delayMs,
      () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      },
      options,
    );
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
