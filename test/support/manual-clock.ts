/** A clock that stands still until a test advances it. */
import type { Cancel, Clock, ScheduleOptions } from "../../src/clock/clock.js";

interface Timer {
  readonly due: number;
  /** Breaks ties: first come, first served. */
  readonly order: number;
  readonly background: boolean;
  readonly run: () => void;
}

/** Work that never comes to rest is a bug of the code under test. */
const mostTurns = 100_000;

export class ManualClock implements Clock {
  private wall: number;
  private elapsed = 0;
  private timers: Timer[] = [];
  private turns = 0;
  private scheduled = 0;

  constructor(wall = Date.UTC(2025, 0, 1, 12)) {
    this.wall = wall;
  }

  now(): number {
    return this.wall;
  }

  monotonic(): number {
    return this.elapsed;
  }

  after(delayMs: number, run: () => void, { background = false }: ScheduleOptions = {}): Cancel {
    if (Number.isNaN(delayMs)) throw new RangeError("The delay of a timer must be a number, not NaN.");
    if (delayMs === Infinity) return () => undefined;
    const due = this.elapsed + Math.max(delayMs, 0);
    const timer: Timer = { due, order: this.scheduled++, background, run };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((one) => one !== timer);
    };
  }

  /** Turns of the event loop come by themselves, time or no time. */
  nextTurn(run: () => void): void {
    this.turns++;
    setImmediate(() => {
      this.turns--;
      run();
    });
  }

  /** Timers that wait to be called. Zero after everything was closed, or something leaks. */
  get pending(): number {
    return this.timers.length;
  }

  /** Of these, those that would keep a process alive. */
  get pendingInForeground(): number {
    return this.timers.filter((timer) => !timer.background).length;
  }

  /** Lets time pass on both clocks. Due calls are made in order, each at its time, with everything settled in between. */
  async advance(ms: number): Promise<void> {
    const target = this.elapsed + ms;
    await this.settle();
    for (let next = this.nextDue(target); next !== undefined; next = this.nextDue(target)) {
      this.timers = this.timers.filter((one) => one !== next);
      this.moveTo(Math.max(next.due, this.elapsed));
      next.run();
      await this.settle();
    }
    this.moveTo(target);
    await this.settle();
  }

  /** Lets promises and turns of the event loop run until nothing is left to do at this time. */
  async settle(): Promise<void> {
    for (let count = 0; count < mostTurns; count++) {
      await eventLoopTurn();
      if (this.turns === 0) return;
    }
    throw new Error("The code under test does not come to rest.");
  }

  /** Somebody sets the wall clock; no time passes. */
  stepWall(ms: number): void {
    this.wall += ms;
  }

  /** A laptop sleeps: the wall clock goes on, the monotonic one stands, and no timer fires. */
  sleep(ms: number): void {
    this.wall += ms;
  }

  /** The process is stopped: both clocks go on, and no timer fires before the next `advance`. */
  stall(ms: number): void {
    this.moveTo(this.elapsed + ms);
  }

  private nextDue(target: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.timers) {
      if (timer.due > target) continue;
      if (
        next === undefined ||
        timer.due < next.due ||
        (timer.due === next.due && timer.order < next.order)
      ) {
        next = timer;
      }
    }
    return next;
  }

  private moveTo(elapsed: number): void {
    this.wall += elapsed - this.elapsed;
    this.elapsed = elapsed;
  }
}

/** All microtasks run before the promise resolves, also those that they begin. */
function eventLoopTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
