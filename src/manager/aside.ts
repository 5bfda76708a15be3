/**
 * Jobs that stand aside: nobody waits for what they do, so they wait a moment for another job of this manager on their path, and share its commit.
 * Where managers contend for a path, each commit less is one that cannot be in the way of whoever has its turn.
 */
import type { Cancel, Clock } from "../clock/clock.js";
import type { Job } from "./job.js";

export class Aside {
  readonly #clock: Clock;
  readonly #byPath = new Map<string, Map<Job, Cancel>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `again`: called when nobody came. */
  add(path: string, job: Job, patienceMs: number, again: () => void): void {
    const jobs = this.#byPath.get(path) ?? new Map<Job, Cancel>();
    this.#byPath.set(path, jobs);
    const cancel = this.#clock.after(patienceMs, () => {
      jobs.delete(job);
      if (jobs.size === 0) this.#byPath.delete(path);
      again();
    });
    jobs.set(job, cancel);
  }

  /** Takes those on a path away. */
  take(path: string): readonly Job[] {
    const jobs = this.#byPath.get(path);
    if (jobs === undefined) return none;
    this.#byPath.delete(path);
    for (const cancel of jobs.values()) cancel();
    return [...jobs.keys()];
  }

  takeAll(): readonly Job[] {
    return [...this.#byPath.keys()].flatMap((path) => this.take(path));
  }
}

const none: never[] = [];
