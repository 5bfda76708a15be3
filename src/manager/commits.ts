/** Commits under way: from groups to changes, and from the store's outcomes to what each command is told. */
import type { Clock } from "../clock/clock.js";
import type { Happening } from "../core/happening.js";
import type { Change, CommitReply, Outcome, Store } from "../store/store.js";
import { changeOf } from "./batch.js";
import { note } from "./drafts.js";
import type { Failures } from "./failures.js";
import type { Command, Group, Job } from "./job.js";
import type { StoreClock } from "./store-clock.js";

/** What the latest commit counts for in the average of those before it. */
const newest = 1 / 8;
const noRanges: never[] = [];

export interface CommitsOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly storeClock: StoreClock;
  /** What happened, after each commit that made it happen, before the callers hear of it. */
  readonly onHappened: (happened: readonly Happening[], revision: number, command: Command<unknown>) => void;
  /** After each commit, when the callers were answered. */
  readonly onCommitted: () => void;
}

/** What is to be sent as one commit. */
export interface Dispatch {
  readonly groups: readonly Group[];
  /** Serial number of this store request. */
  readonly serial: number;
  /** Local monotonic time at which it was planned. */
  readonly plannedAt: number;
  /** Store time after which none of it must be applied. */
  readonly notAfter: number;
}

export class Commits {
  readonly #options: CommitsOptions;
  readonly #failures: Failures;
  /** How many are under way. */
  underWay = 0;
  /** Of these, how many expect a range to be unchanged. */
  underWayWithRanges = 0;
  /** How long one takes of late, in milliseconds. */
  usualMs = 0;

  constructor(options: CommitsOptions, failures: Failures) {
    this.#options = options;
    this.#failures = failures;
  }

  /** Resolves when everybody was told what came of it. */
  async send(dispatch: Dispatch): Promise<void> {
    const { groups } = dispatch;
    const ranges = groups.some((group) => group.ranges.length > 0) ? 1 : 0;
    const changes = groups.map((group) => changeOf(group, dispatch.notAfter));
    this.underWay++;
    this.underWayWithRanges += ranges;
    count(groups, 1);
    try {
      await this.#commit(dispatch, changes);
    } finally {
      this.underWay--;
      this.underWayWithRanges -= ranges;
    }
  }

  async #commit({ groups, serial, plannedAt }: Dispatch, changes: readonly Change[]): Promise<void> {
    const { store, clock, storeClock } = this.#options;
    let reply: CommitReply;
    try {
      reply = await store.commit(changes);
    } catch (error) {
      count(groups, -1);
      for (const group of groups) this.#lose(group, error);
      return;
    }
    count(groups, -1);
    storeClock.learn(reply.storeTime, plannedAt);
    this.usualMs += (clock.monotonic() - plannedAt - this.usualMs) * newest;
    for (const [index, group] of groups.entries()) {
      const outcome = reply.outcomes[index];
      if (outcome === undefined) this.#lose(group, new Error("The store answered with too few outcomes."));
      else this.#settle(group, outcome, serial);
    }
    this.#options.onCommitted();
  }

  #settle(group: Group, outcome: Outcome, serial: number): void {
    if (!outcome.applied) {
      this.#retry(group, outcome, serial);
      return;
    }
    for (const { cell, base } of group.expected) cell.prove(base, serial);
    for (const { cell, value } of group.written) cell.wrote(value, outcome.revision, serial);
    // One after the other: who was queued by one job is there when the next one serves it.
    for (const job of group.jobs) this.finish(job, outcome.revision);
  }

  /** Tells a command its reply. `revision`: of the commit, or 0 when there was nothing to commit. */
  finish(job: Job, revision: number): void {
    if (job.happened.length > 0) this.#options.onHappened(job.happened, revision, job.command);
    job.command.done(job.reply, { revision, uncertain: job.uncertain });
  }

  #retry(group: Group, outcome: Outcome & { applied: false }, serial: number): void {
    for (const [index, { cell }] of group.expected.entries()) cell.learn(outcome.found[index], serial);
    for (const job of apart(group)) this.#failures.conflicted(job);
  }

  /** The store failed: nothing is believed of what the group wrote, and its jobs are tried again when that is surely harmless. */
  #lose(group: Group, error: unknown): void {
    for (const { cell } of [...group.expected, ...group.written]) cell.forget();
    for (const job of apart(group)) this.#failures.failed(job, error, group.notAfter);
  }
}

function count(groups: readonly Group[], by: 1 | -1): void {
  for (const { expected, written } of groups) note(expected, written, by);
}

/** The jobs of a group that was not applied: each is tried on its own next, from what it reads then. */
function apart({ jobs }: Group): readonly Job[] {
  for (const job of jobs) {
    job.alone = jobs.length > 1;
    job.loaded = noRanges;
  }
  return jobs;
}
