/** The clocks of one simulated process: a little fast or slow, a wall clock that is wrong, and no timer fires while the process is stopped. */
import type { Cancel, Clock } from "../../src/clock/clock.js";
import type { VirtualTime } from "./virtual-time.js";

/** Whether code of the process can run. */
export interface Fate {
  readonly isDead: boolean;
  readonly isStopped: boolean;
  /** Does it when the process goes on; never, if it is dead. */
  whenRunning(run: () => void): void;
}

export interface ClockTraits {
  /** Local milliseconds for each that passes. */
  readonly rate: number;
  /** What the wall clock shows too much. */
  readonly skewMs: number;
}

const epoch = Date.UTC(2025, 0, 1, 12);
/** More than what is lost when durations are divided and multiplied by the rate. */
const roundingMs = 1e-6;

export class ProcessClock implements Clock {
  skewMs: number;
  private readonly time: VirtualTime;
  private readonly fate: Fate;
  private readonly rate: number;
  private readonly bornAt: number;

  constructor(time: VirtualTime, fate: Fate, { rate, skewMs }: ClockTraits) {
    this.time = time;
    this.fate = fate;
    this.rate = rate;
    this.skewMs = skewMs;
    this.bornAt = time.now;
  }

  now(): number {
    return epoch + this.time.now + this.skewMs;
  }

  monotonic(): number {
    return (this.time.now - this.bornAt) * this.rate;
  }

  after(delayMs: number, run: () => void): Cancel {
    if (Number.isNaN(delayMs)) throw new RangeError("The delay of a timer must be a number, not NaN.");
    if (delayMs === Infinity) return () => undefined;
    let isTakenBack = false;
    const cancel = this.time.at(this.time.now + Math.max(delayMs, 0) / this.rate + roundingMs, () => {
      this.fate.whenRunning(() => {
        if (isTakenBack) return;
        this.time.step();
        run();
      });
    });
    return () => {
      isTakenBack = true;
      cancel();
    };
  }

  nextTurn(run: () => void): void {
    this.time.at(this.time.now, () => this.fate.whenRunning(run));
  }
}

/** The network and the store: never stopped, exact, and store time steps forward when it is told to. */
export class WorldClock implements Clock {
  private readonly time: VirtualTime;
  private stepped = 0;

  constructor(time: VirtualTime) {
    this.time = time;
  }

  now(): number {
    return epoch + this.monotonic();
  }

  monotonic(): number {
    return this.time.now + this.stepped;
  }

  after(delayMs: number, run: () => void): Cancel {
    return this.time.at(this.time.now + delayMs, run);
  }

  nextTurn(run: () => void): void {
    this.time.at(this.time.now, run);
  }

  stepForward(ms: number): void {
    this.stepped += ms;
  }
}
