/** Time that passes only from one scheduled happening to the next. */
import { Heap } from "heap-js";

interface Scheduled {
  readonly at: number;
  /** Breaks ties: first come, first served. */
  readonly order: number;
  /** Undefined once it was taken back. */
  run: (() => void) | undefined;
}

/** More than this does not happen in one millisecond unless somebody goes round in circles. */
const mostStepsPerMs = 10_000;

export class VirtualTime {
  /** Milliseconds since the beginning. */
  now = 0;
  /** Things that happened: actions, store calls, hints, timers. */
  steps = 0;
  private millisecond = 0;
  private stepsBefore = 0;
  private readonly agenda = new Heap<Scheduled>((a, b) => a.at - b.at || a.order - b.order);
  private scheduled = 0;

  step(): void {
    this.steps++;
    if (this.now - this.millisecond < 1) return;
    this.millisecond = this.now;
    this.stepsBefore = this.steps;
  }

  /** So much happens that time hardly passes. */
  get isSpinning(): boolean {
    return this.steps - this.stepsBefore > mostStepsPerMs;
  }

  /** Returns a function that takes it back. */
  at(moment: number, run: () => void): () => void {
    const scheduled: Scheduled = { at: Math.max(moment, this.now), order: this.scheduled++, run };
    this.agenda.push(scheduled);
    return () => {
      scheduled.run = undefined;
    };
  }

  /** Lets everything happen that is due until then, each with all its consequences before the next. Stops early when `enough` says so. */
  async passUntil(moment: number, enough: () => boolean): Promise<void> {
    await consequences();
    for (let next = this.agenda.peek(); next !== undefined && next.at <= moment; next = this.agenda.peek()) {
      this.agenda.pop();
      const { run } = next;
      if (run === undefined) continue;
      this.now = next.at;
      run();
      await consequences();
      if (enough()) return;
    }
    this.now = Math.max(this.now, moment);
  }
}

/** So often the event loop has a turn of its own, for what is not simulated. */
const turnEvery = 4_096;
let sinceTurn = 0;

/**
 * All microtasks run before it resolves, also those that they begin: Node empties their queue before it looks at the next tick. A turn of the event
 * loop would do as well, and costs more than most that happens in one.
 */
function consequences(): Promise<void> {
  return new Promise((resolve) => {
    if (++sinceTurn < turnEvery) queueTick(resolve);
    else {
      sinceTurn = 0;
      setImmediate(resolve);
    }
  });
}

/** From a microtask, because ticks that are queued by a tick come before the microtasks. */
function queueTick(run: () => void): void {
  settled.then(() => process.nextTick(run)).catch(run);
}

const settled = Promise.resolve();
