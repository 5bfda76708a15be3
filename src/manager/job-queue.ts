/**
 * Jobs for the next batch, in the order in which they were called; and those that stand aside. Nobody waits for what these do, so they wait a moment for
 * another job of this manager on their path, and share its commit: where managers contend for a path, every other commit is in the way of whoever has its
 * turn there.
 */
import type { Cancel, Clock } from "../clock/clock.js";
import type { Job } from "./job.js";

export class JobQueue {
  readonly #clock: Clock;
  #jobs: Job[] = [];
  readonly #aside = new Map<string, Map<Job, Cancel>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isEmpty(): boolean {
    return this.#jobs.length === 0;
  }

  /** With those that stand aside on its path, unless it is to be tried alone. */
  add(job: Job): void {
    this.defer(job);
    const { path } = job.command;
    if (path !== undefined && !job.alone) for (const other of this.#company(path)) this.defer(other);
  }

  /** Without those. */
  defer(job: Job): void {
    // One that comes back goes before those that were called later, so that calls on one path queue in the order in which they were made.
    const jobs = this.#jobs;
    let at = jobs.length;
    while (at > 0 && (jobs[at - 1]?.number ?? 0) > job.number) at--;
    if (at === jobs.length) jobs.push(job);
    else jobs.splice(at, 0, job);
  }

  /** `onDue`: called after so long, if nobody came. False for one that has no patience. */
  standAside(job: Job, patienceMs: number, onDue: () => void): boolean {
    const { path } = job.command;
    if (path === undefined || patienceMs === 0) return false;
    job.alone = false;
    const jobs = this.#aside.get(path) ?? new Map<Job, Cancel>();
    this.#aside.set(path, jobs);
    const due = (): void => {
      jobs.delete(job);
      if (jobs.size === 0) this.#aside.delete(path);
      onDue();
    };
    jobs.set(job, this.#clock.after(patienceMs, due));
    return true;
  }

  #company(path: string): readonly Job[] {
    const jobs = this.#aside.get(path);
    if (jobs === undefined) return none;
    this.#aside.delete(path);
    for (const cancel of jobs.values()) cancel();
    return [...jobs.keys()];
  }

  /** Empties it, but for those that stand aside. */
  take(): readonly Job[] {
    const jobs = this.#jobs;
    this.#jobs = [];
    return jobs;
  }

  takeAll(): readonly Job[] {
    return [...this.take(), ...[...this.#aside.keys()].flatMap((path) => this.#company(path))];
  }
}

const none: never[] = [];
