/**
 * How late it may be in store time, as far as this process can know. Every frame of the server says what the store's clock showed and how many of our
 * frames it had seen by then, so a moment of this process is known that was not later than that: when the last of those was sent. From there on at most
 * the drift of two clocks is added.
 */
import type { Clock } from "../clock/clock.js";

/** Two clocks that drift by 500 ppm, as the managers assume. */
const fastest = 1 + 500 / 1_000_000;

interface Bound {
  readonly storeMs: number;
  /** On the monotonic clock of this process. */
  readonly since: number;
}

export class StoreTime {
  readonly #clock: Clock;
  #bound: Bound | undefined = undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The store's clock showed `storeMs` no earlier than when our monotonic one showed `since`. */
  note(storeMs: number, since: number): void {
    const candidate = { storeMs, since };
    const known = this.#bound;
    // A store that is later than it could be is another one than before, or was set anew.
    if (known === undefined || this.#latest(candidate) < this.#latest(known) || storeMs > this.#latest(known))
      this.#bound = candidate;
  }

  /** Store time is not later than this. Before the first answer it is a guess: the wall clock. */
  latest(): number {
    return this.#bound === undefined ? this.#clock.now() : this.#latest(this.#bound);
  }

  /** So many milliseconds of store time take at least this long on our clock. */
  localSpan(storeMs: number): number {
    return storeMs / fastest;
  }

  #latest({ storeMs, since }: Bound): number {
    return storeMs + (this.#clock.monotonic() - since) * fastest;
  }
}
