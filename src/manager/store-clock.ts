/**
 * Store time, known as an interval: each reply of the store carries its clock, so store time was that at some moment between the request's start
 * and the reply's arrival (the idea of Spanner's TrueTime). Between replies the interval grows with the drift that two clocks may have. Where a store
 * has no clock of its own, it is also wider, on both sides, by what a reply itself may be wrong.
 */
import type { Clock } from "../clock/clock.js";
import type { StoreTime } from "../store/store.js";

/** Two quartz clocks drift apart by at most 500 ppm, the figure that NTP allows for. */
const drift = 500e-6;

export class StoreClock {
  readonly #clock: Clock;
  readonly #uncertaintyMs: number;
  /** Store time minus local monotonic time is at least `#low` and at most `#high`, as of local time `#asOf`. */
  #low = -Infinity;
  #high = Infinity;
  #asOf = 0;
  /** How often the store's clock was seen to jump. */
  steps = 0;

  /** `uncertaintyMs`: of the store's traits. */
  constructor(clock: Clock, uncertaintyMs = 0) {
    this.#clock = clock;
    this.#uncertaintyMs = uncertaintyMs;
  }

  /** Learns from a reply. `sentAt` and the present are local monotonic times around the request. */
  learn(storeTime: StoreTime, sentAt: number): void {
    const now = this.#clock.monotonic();
    const age = (now - this.#asOf) * drift;
    const low = Math.max(this.#low - age, storeTime - now);
    const high = Math.min(this.#high + age, storeTime - sentAt);
    this.#asOf = now;
    if (low <= high) {
      this.#low = low;
      this.#high = high;
    } else {
      // The two bounds cannot both be true: the store's clock jumped, and only the newest reply counts.
      this.#low = storeTime - now;
      this.#high = storeTime - sentAt;
      this.steps++;
    }
  }

  /** Store time is at least this at local monotonic time `now`. */
  earliest(now = this.#clock.monotonic()): StoreTime {
    return now + this.#low - this.#uncertaintyMs - (now - this.#asOf) * drift;
  }

  /** Store time is at most this at local monotonic time `now`. */
  latest(now = this.#clock.monotonic()): StoreTime {
    return now + this.#high + this.#uncertaintyMs + (now - this.#asOf) * drift;
  }

  /** Local monotonic time from which on store time has surely reached `time`. */
  surelyAt(time: StoreTime): number {
    return (time + this.#uncertaintyMs - this.#low - this.#asOf * drift) / (1 - drift);
  }

  /** Local monotonic time from which on store time may have reached `time`. */
  perhapsAt(time: StoreTime): number {
    return (time - this.#uncertaintyMs - this.#high + this.#asOf * drift) / (1 + drift);
  }
}
