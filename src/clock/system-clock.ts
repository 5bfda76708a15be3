/** The real clock of this machine. */
import type { Cancel, Clock, ScheduleOptions } from "./clock.js";

/** Node takes delays up to 2^31 - 1 ms; anything longer, and NaN, would fire at once. */
const longestTimerMs = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (delayMs, run, options = {}) => schedule(delayMs, run, options),
  nextTurn: (run) => {
    setImmediate(run);
  },
};

function schedule(delayMs: number, run: () => void, options: ScheduleOptions): Cancel {
  if (Number.isNaN(delayMs))
    throw new RangeError("The delay of a timer must be a number of milliseconds, not NaN.");
  const due = performance.now() + delayMs;
  let timer: NodeJS.Timeout | undefined;

  const arm = (): void => {
    // Node may fire up to a millisecond early (its timers round down), hence the second look at the clock.
    const left = due - performance.now();
    timer = setTimeout(left > 0 ? fire : run, Math.min(Math.max(Math.ceil(left), 0), longestTimerMs));
    if (options.background) doNotWaitFor(timer);
  };
  const fire = (): void => {
    if (performance.now() >= due) run();
    else arm();
  };

  arm();
  return () => clearTimeout(timer);
}

/** In browsers a timer is a number, and keeps nothing from ending. */
function doNotWaitFor(timer: NodeJS.Timeout | number): void {
  if (typeof timer !== "number") timer.unref();
}
