/**
 * The pipeline: commands that arrive together are planned together and sent as one commit (group commit); while commits are under way the next batch
 * gathers. What conflicts is planned again from what the store returned; what failed is tried again after a while.
 */
import { Batch } from "./batch.js";
import { Commits, type CommitsOptions } from "./commits.js";
import { cancelledError, Failures, type RetryPolicy } from "./failures.js";
import { type Command, type Draft, type Group, Job } from "./job.js";
import { JobQueue } from "./job-queue.js";
import { load } from "./load.js";
import { type Beliefs, type Missing, Planner } from "./planner.js";
import { closedError } from "./refusals.js";
import { Turns } from "./turns.js";

/** A commit carries at most this many jobs; the rest goes with the next. */
const mostJobsPerBatch = 512;
/** A change must not be applied later than this after it was planned, which bounds how long an unknown outcome stays unknown. */
export const patienceMs = 5_000;
/** A store that answers without leaving the turn of the event loop must not starve timers and input. */
const longestTurnMs = 8;
/** So few jobs are not worth two commits. */
const fewJobs = 16;

export interface PipelineOptions extends CommitsOptions {
  readonly retry: RetryPolicy;
  /** Between 0 and 1. */
  readonly random: () => number;
  readonly managerId: () => string;
}

const atOnce = Promise.resolve();

export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #planner = new Planner();
  readonly #failures: Failures;
  readonly #queue: JobQueue;
  readonly #commits: Commits;
  readonly #turns: Turns;
  /** How many commits may be under way: with two, the store works on one while this process works on the other. */
  readonly #mostUnderWay: number;
  #scheduled = false;
  #serial = 1;
  #batches = 0;
  #jobs = 0;
  #turnBegan: number;
  #closed = false;
  /** Local monotonic time at which the latest batch was planned. */
  plannedAt: number;
  #idlers: (() => void)[] = [];

  constructor(options: PipelineOptions) {
    this.#options = options;
    this.plannedAt = options.clock.monotonic();
    this.#turnBegan = this.plannedAt;
    this.#queue = new JobQueue(options.clock);
    this.#failures = new Failures(
      { ...options, serial: () => this.#serial, standAside: (job, ms) => this.#standAside(job, ms) },
      (job) => this.#enqueue(job),
    );
    this.#commits = new Commits(options, this.#failures);
    this.#turns = new Turns(this.#commits);
    this.#mostUnderWay = options.store.traits.commitsUnderWay ?? 1;
  }

  /**
   * Takes a command. Its `done` or `fail` is called once, later. `giveUpAt`: local monotonic time up to which conflicts are fought out.
   */
  submit<Reply>(command: Command<Reply>, giveUpAt?: number): Job {
    const job = new Job(command, ++this.#jobs, this.#serial, giveUpAt);
    this.#standAside(job, command.patienceMs ?? 0);
    return job;
  }

  get beliefs(): Beliefs {
    return this.#planner;
  }

  /** How long a commit takes of late, in milliseconds. */
  get commitMs(): number {
    return this.#commits.usualMs;
  }

  /** Resolves when nothing is queued or under way. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#idlers.push(resolve);
      this.#schedule();
    });
  }

  /** Work that nobody awaits. It deals with its own failures; one that gets here is a bug. */
  background(work: Promise<unknown>): void {
    this.#failures.background(work);
  }

  /** Fails what has not been sent; what is under way is still answered. */
  close(): void {
    this.#closed = true;
    for (const job of this.#queue.takeAll()) job.command.fail(closedError());
    this.#failures.close();
  }

  #standAside(job: Job, patienceMs: number): void {
    if (this.#closed || !this.#queue.standAside(job, patienceMs, () => this.#enqueue(job)))
      this.#enqueue(job);
  }

  #enqueue(job: Job): void {
    if (this.#closed) {
      job.command.fail(closedError());
      return;
    }
    this.#queue.add(job);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.#isFull) return;
    this.#scheduled = true;
    const { clock } = this.#options;
    if (clock.monotonic() - this.#turnBegan < longestTurnMs) {
      // A microtask at a fraction of what `queueMicrotask` costs in Node.
      atOnce.then(this.#flush, this.#flush);
    } else {
      clock.nextTurn(() => {
        this.#turnBegan = clock.monotonic();
        this.#flush();
      });
    }
  }

  /** Another commit has to wait. One that expects something of a range goes alone: too much could come in between. */
  get #isFull(): boolean {
    const { underWay, underWayWithRanges } = this.#commits;
    return underWay >= this.#mostUnderWay || underWayWithRanges > 0;
  }

  readonly #flush = (): void => {
    this.#scheduled = false;
    if (this.#queue.isEmpty) {
      if (this.#commits.underWay === 0) for (const resolve of this.#idlers.splice(0)) resolve();
      return;
    }
    const drafts = this.#planner.begin(...this.#times(), this.#options.managerId());
    const groups = this.#plan();
    if (groups.length === 0) {
      drafts.putBack();
      // What waits for a commit under way goes on when that is over.
      if (this.#commits.underWay === 0) this.#next();
      return;
    }
    this.#send(groups).then(
      () => {
        drafts.putBack();
        this.#next();
      },
      (error: unknown) => {
        // Only a broken promise of our own comes here: better one loud failure than callers that wait for ever.
        for (const job of groups.flatMap((group) => group.jobs)) job.command.fail(error);
        this.#next();
      },
    );
    this.#next();
  };

  #next(): void {
    this.#planner.trim();
    if (!this.#queue.isEmpty || this.#idlers.length > 0) this.#schedule();
  }

  /** Store time is between these two. */
  #times(): [earliest: number, latest: number] {
    const { clock, storeClock } = this.#options;
    this.plannedAt = clock.monotonic();
    return [storeClock.earliest(this.plannedAt), storeClock.latest(this.plannedAt)];
  }

  /** Plans as many jobs as fit, and leaves the others in the queue. */
  #plan(): Group[] {
    this.#batches++;
    const batch = new Batch(this.#batches * mostJobsPerBatch, this.#options.store.traits.maxKeysPerChange);
    const jobs = this.#queue.take();
    const crowded = new Set<string>();
    let left = this.#share(jobs.length);
    for (const job of jobs) {
      const { path } = job.command;
      if (left <= 0 || (path !== undefined && (crowded.has(path) || this.#planner.isBeingWritten(path)))) {
        this.#queue.defer(job);
        continue;
      }
      left--;
      if (this.#planOne(job, batch)) continue;
      this.#queue.defer(job);
      if (path !== undefined) crowded.add(path);
      // It goes alone, so that those behind it would keep it waiting.
      if (job.ranges.length > 0 && this.#commits.underWay > 0) left = 0;
    }
    this.#turns.over();
    return batch.groups();
  }

  /** How many of so many jobs are planned now. Those that came together share two commits, if two may be under way. */
  #share(jobs: number): number {
    const isShared = this.#mostUnderWay > 1 && this.#commits.underWay === 0 && jobs > fewJobs;
    return Math.min(isShared ? Math.ceil(jobs / 2) : jobs, mostJobsPerBatch);
  }

  /** False when the job must wait for the next batch. */
  #planOne(job: Job, batch: Batch): boolean {
    if (job.cancelled) {
      job.command.fail(cancelledError(job));
      return true;
    }
    let missing: Missing;
    try {
      missing = this.#planner.plan(job);
    } catch (error) {
      this.#planner.undo();
      job.command.fail(error);
      return true;
    }
    const isComplete = missing.length === 0;
    if (isComplete && this.#turns.mustWait(job)) {
      this.#planner.undo();
      return false;
    }
    // Once something had to be read, or a guess was wrong, the rest is read as well instead of guessed. A waiter knows that something is there.
    const guesses = job.loads === 0 && job.conflicts === 0 && job.command.isInTurn !== true;
    if (!isComplete || (!guesses && job.reads.some((draft) => isGuess(draft, job)))) {
      this.#planner.undo();
      this.#failures.background(this.#load(job, missing));
      return true;
    }
    if (job.writes.length === 0 && this.#isAnswered(job)) {
      this.#commits.finish(job, 0);
      return true;
    }
    if (batch.place(job)) return true;
    this.#planner.undo();
    return false;
  }

  /** True when a plan that changes nothing needs no word from the store, or has it: everything was learned during this call. */
  #isAnswered(job: Job): boolean {
    if (job.reads.some(({ written }) => written)) return false;
    if (job.command.isProvisional?.(job.reply)) return true;
    return job.command.mustBeProved !== true && job.reads.every(({ cell }) => cell.learned > job.since);
  }

  async #load(job: Job, missing: Missing): Promise<void> {
    try {
      await load(this.#options, job, missing, ++this.#serial);
      this.#enqueue(job);
    } catch (error) {
      this.#failures.failed(job, error, 0);
    }
  }

  #send(groups: readonly Group[]): Promise<void> {
    const notAfter = this.#planner.latest + patienceMs;
    return this.#commits.send({ groups, serial: ++this.#serial, plannedAt: this.plannedAt, notAfter });
  }
}

/** Nothing that counts is known of it, and no earlier job of the batch has written it. */
function isGuess({ cell, writer }: Draft, { guessUpTo }: Job): boolean {
  return writer === 0 && cell.learned <= guessUpTo;
}
