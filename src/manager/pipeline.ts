/**
 * The pipeline: commands that arrive together are planned together and sent as one commit (group commit); while one commit is in flight the next
 * batch gathers. What conflicts is planned again from what the store returned; what failed is tried again after a while.
 */
import type { Clock } from "../clock/clock.js";
import type { Happening } from "../core/happening.js";
import type { Change, CommitReply, Outcome, Store } from "../store/store.js";
import { Batch, changeOf } from "./batch.js";
import { cancelledError, Failures, type RetryPolicy } from "./failures.js";
import { type Command, type Draft, type Group, Job } from "./job.js";
import { JobQueue } from "./job-queue.js";
import { load } from "./load.js";
import { type Beliefs, type Missing, Planner } from "./planner.js";
import { closedError } from "./refusals.js";
import type { StoreClock } from "./store-clock.js";

/** A commit carries at most this many jobs; the rest goes with the next. */
const mostJobsPerBatch = 512;
/** A change must not be applied later than this after it was planned, which bounds how long an unknown outcome stays unknown. */
export const patienceMs = 5_000;
/** A store that answers without leaving the turn of the event loop must not starve timers and input. */
const longestTurnMs = 8;
/** What the latest commit counts for in the average of those before it. */
const newest = 1 / 8;

export interface PipelineOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly storeClock: StoreClock;
  readonly retry: RetryPolicy;
  /** Between 0 and 1. */
  readonly random: () => number;
  readonly managerId: () => string;
  /** What happened, after each commit that made it happen, before the callers hear of it. */
  readonly onHappened: (happened: readonly Happening[], revision: number, command: Command<unknown>) => void;
  /** After each commit, when the callers were answered. */
  readonly onCommitted: () => void;
}

const noRanges: never[] = [];
const atOnce = Promise.resolve();

export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #planner = new Planner();
  readonly #failures: Failures;
  readonly #queue: JobQueue;
  #scheduled = false;
  #committing = false;
  #serial = 1;
  #batches = 0;
  #jobs = 0;
  #turnBegan: number;
  #closed = false;
  /** Local monotonic time at which the latest batch was planned. */
  plannedAt: number;
  /** How long a commit takes of late, in milliseconds. */
  commitMs = 0;
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

  /** Resolves when nothing is queued or in flight. */
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

  /** Fails what has not been sent; what is in flight is still answered. */
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
    if (this.#scheduled || this.#committing) return;
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

  readonly #flush = (): void => {
    this.#scheduled = false;
    if (this.#committing) return;
    if (this.#queue.isEmpty) {
      for (const resolve of this.#idlers.splice(0)) resolve();
      return;
    }
    const groups = this.#plan();
    if (groups.length === 0) {
      if (!this.#queue.isEmpty || this.#idlers.length > 0) this.#schedule();
      return;
    }
    this.#committing = true;
    this.#send(groups).then(
      () => this.#next(),
      (error: unknown) => {
        // Only a broken promise of our own comes here: better one loud failure than callers that wait for ever.
        for (const job of groups.flatMap((group) => group.jobs)) job.command.fail(error);
        this.#next();
      },
    );
  };

  #next(): void {
    this.#committing = false;
    this.#planner.trim();
    if (!this.#queue.isEmpty || this.#idlers.length > 0) this.#schedule();
  }

  /** Plans as many jobs as fit, and leaves the others in the queue. */
  #plan(): Group[] {
    const { store, clock, storeClock, managerId } = this.#options;
    this.#batches++;
    const batch = new Batch(this.#batches * mostJobsPerBatch, store.traits.maxKeysPerChange);
    this.plannedAt = clock.monotonic();
    const earliest = storeClock.earliest(this.plannedAt);
    this.#planner.begin(earliest, storeClock.latest(this.plannedAt), managerId());
    const jobs = this.#queue.take();
    const crowded = new Set<string>();
    let planned = 0;
    for (const job of jobs) {
      const { path } = job.command;
      if (planned >= mostJobsPerBatch || (path !== undefined && crowded.has(path))) {
        this.#queue.defer(job);
        continue;
      }
      planned++;
      if (this.#planOne(job, batch)) continue;
      this.#queue.defer(job);
      if (path !== undefined) crowded.add(path);
    }
    return batch.groups();
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
    // Once something had to be read, or a guess was wrong, the rest is read as well instead of guessed. A waiter knows that something is there.
    const guesses = job.loads + job.conflicts === 0 && job.command.isInTurn !== true;
    if (missing.length > 0 || (!guesses && job.reads.some((draft) => isGuess(draft, job)))) {
      this.#planner.undo();
      this.#failures.background(this.#load(job, missing));
      return true;
    }
    if (job.writes.length === 0 && this.#isAnswered(job)) {
      this.#finish(job, 0);
      return true;
    }
    if (batch.place(job)) return true;
    this.#planner.undo();
    return false;
  }

  /** True when a plan that changes nothing needs no word from the store, or has it: everything was learned during this call. */
  #isAnswered(job: Job): boolean {
    if (job.reads.some(({ written }) => written)) return false;
    return job.command.isProvisional?.(job.reply) || job.reads.every(({ cell }) => cell.learned > job.since);
  }

  async #load(job: Job, missing: Missing): Promise<void> {
    try {
      await load(this.#options, job, missing, ++this.#serial);
      this.#enqueue(job);
    } catch (error) {
      this.#failures.failed(job, error, 0);
    }
  }

  async #send(groups: readonly Group[]): Promise<void> {
    const { store, clock, storeClock } = this.#options;
    const serial = ++this.#serial;
    const changes = groups.map((group) => changeOf(group, this.#planner.latest + patienceMs));
    const sentAt = this.plannedAt;
    let reply: CommitReply;
    try {
      reply = await store.commit(changes);
    } catch (error) {
      for (const group of groups) this.#lose(group, error);
      return;
    }
    storeClock.learn(reply.storeTime, sentAt);
    this.commitMs += (clock.monotonic() - sentAt - this.commitMs) * newest;
    for (const [index, group] of groups.entries()) {
      const [change, outcome] = [changes[index], reply.outcomes[index]];
      if (change !== undefined && outcome !== undefined) this.#settle(group, change, outcome, serial);
      else this.#lose(group, new Error("The store answered with too few outcomes."));
    }
    this.#options.onCommitted();
  }

  #settle(group: Group, change: Change, outcome: Outcome, serial: number): void {
    if (!outcome.applied) {
      this.#retry(group, outcome, serial);
      return;
    }
    let place = 0;
    for (const { cell } of group.expected) {
      const expected = change.expect[place++];
      if (expected !== undefined && "key" in expected) cell.prove(expected.revision, serial);
    }
    for (const { cell, value } of group.written) cell.wrote(value, outcome.revision, serial);
    // One after the other: who was queued by one job is there when the next one serves it.
    for (const job of group.jobs) this.#finish(job, outcome.revision);
  }

  #finish(job: Job, revision: number): void {
    if (job.happened.length > 0) this.#options.onHappened(job.happened, revision, job.command);
    job.command.done(job.reply, { revision, uncertain: job.uncertain });
  }

  #retry(group: Group, outcome: Outcome & { applied: false }, serial: number): void {
    for (const [index, { cell }] of group.expected.entries()) cell.learn(outcome.found[index], serial);
    for (const job of this.#apart(group)) this.#failures.conflicted(job);
  }

  /** The store failed: nothing is believed of what the group wrote, and its jobs are tried again when that is surely harmless. */
  #lose(group: Group, error: unknown): void {
    for (const { cell } of [...group.expected, ...group.written]) cell.forget();
    for (const job of this.#apart(group)) this.#failures.failed(job, error, group.notAfter);
  }

  /** The jobs of a group that was not applied: each is tried on its own next, from what it reads then. */
  #apart({ jobs }: Group): readonly Job[] {
    for (const job of jobs) {
      job.alone = jobs.length > 1;
      job.loaded = noRanges;
    }
    return jobs;
  }
}

/** Nothing that counts is known of it, and no earlier job of the batch has written it. */
function isGuess({ cell, writer }: Draft, { command, since }: Job): boolean {
  return writer === 0 && cell.learned <= (command.isAfresh === true ? since : 0);
}
