/** One batch: the plans that go to the store together, and which of them must become one change. */
import type { Change, Expectation } from "../store/store.js";
import { Group, type Job } from "./job.js";

/** More commands than this are not merged: a conflict would make all of them try again. */
const mostJobsPerGroup = 32;
/** A cell read by several groups. */
const many = -1;

export class Batch {
  readonly #firstNumber: number;
  readonly #maxKeys: number;
  readonly #groups: Group[] = [];
  readonly #rangeGroups: Group[] = [];

  /** `firstNumber`: of its groups; one batch has at most as many groups as jobs. */
  constructor(firstNumber: number, maxKeys: number) {
    this.#firstNumber = firstNumber;
    this.#maxKeys = maxKeys;
  }

  /**
   * Finds the planned job a group: a fresh one, or that of the jobs whose keys it meets. False when it must wait for the next batch, because it
   * would join too many, or must be alone.
   */
  place(job: Job): boolean {
    const met = this.#met(job);
    if (met === undefined) return false;
    const [first, ...others] = met;
    let size = job.reads.length + job.writes.length;
    let jobs = 1;
    for (const group of met) {
      size += group.keys;
      jobs += group.jobs.length;
    }
    if (met.length > 0) {
      if (job.alone || met.some((group) => group.jobs.some((one) => one.alone))) return false;
      if (jobs > mostJobsPerGroup || size > this.#maxKeys) return false;
    }
    if (this.#crossesRange(job, met)) return false;

    const group = first ?? new Group(this.#firstNumber + this.#groups.length);
    if (first === undefined) this.#groups.push(group);
    for (const other of others) group.absorb(other);
    group.jobs.push(job);
    group.keys += job.reads.length + job.writes.length;
    for (const range of job.ranges) group.ranges.push(range);
    if (job.ranges.length > 0) this.#rangeGroups.push(group);
    this.#mark(job, group);
    return true;
  }

  /** The groups whose keys the job meets; `undefined` when those are too many to tell. */
  #met(job: Job): Group[] | undefined {
    const met: Group[] = [];
    for (const cell of job.reads) if (cell.writer !== 0) this.#meet(cell.writer, met);
    for (const cell of job.writes) {
      if (cell.reader === many) return undefined;
      if (cell.writer !== 0) this.#meet(cell.writer, met);
      if (cell.reader !== 0) this.#meet(cell.reader, met);
    }
    return met;
  }

  #meet(number: number, met: Group[]): void {
    const root = this.#groups[number - this.#firstNumber]?.root();
    if (root !== undefined && !met.includes(root)) met.push(root);
  }

  /** Changes of one commit must be independent: none expects by range what another writes. */
  #crossesRange(job: Job, met: readonly Group[]): boolean {
    if (this.#rangeGroups.length === 0 && job.ranges.length === 0) return false;
    const others = (groups: readonly Group[]): Group[] =>
      groups.map((group) => group.root()).filter((group) => !met.includes(group));
    const inRange = (ranges: Group["ranges"], { writes, indexed }: Job): boolean =>
      ranges.some(({ range: { prefix } }) =>
        [...writes, ...indexed].some(({ key }) => key.startsWith(prefix)),
      );
    return (
      others(this.#rangeGroups).some((group) => inRange(group.ranges, job)) ||
      // A range does not show the drafts of this batch, so not even its own change may write there before it.
      (job.ranges.length > 0 &&
        this.#groups.some((group) => group.jobs.some((one) => inRange(job.ranges, one))))
    );
  }

  #mark(job: Job, group: Group): void {
    for (const cell of job.reads) {
      const known = cell.reader > 0 ? this.#groups[cell.reader - this.#firstNumber]?.root() : group;
      cell.reader = cell.reader !== many && known === group ? group.number : many;
    }
    for (const cell of job.writes) cell.writer = group.number;
  }

  /** The groups to send, in the order of their first jobs. */
  groups(): Group[] {
    return this.#groups.filter((group) => group.root() === group);
  }
}

/** What a group asks of the store. `patience`: store time after which it must no longer be applied. */
export function changeOf(group: Group, patience: number): Change {
  const expect: Expectation[] = [];
  const put: Change["put"][number][] = [];
  const remove: string[] = [];
  const announce: string[] = [];
  let notAfter = patience;

  for (const job of group.jobs) {
    for (const cell of job.reads) {
      if (cell.expectedBy === group.number) continue;
      cell.expectedBy = group.number;
      group.expected.push(cell);
      expect.push({ key: cell.key, revision: cell.revision });
    }
    for (const path of job.announced) if (!announce.includes(path)) announce.push(path);
    if (job.notAfter < notAfter) notAfter = job.notAfter;
  }
  for (const job of group.jobs) {
    for (const cell of job.writes) {
      if (cell.putBy === group.number) continue;
      cell.putBy = group.number;
      group.written.push(cell);
      if (cell.draft !== undefined) put.push({ key: cell.key, value: cell.draft });
      // Expected to be absent: there is nothing to remove.
      else if (!(cell.expectedBy === group.number && cell.revision === 0)) remove.push(cell.key);
    }
  }
  indexEntries(group, put, remove);
  for (const range of group.ranges) expect.push(range);
  group.notAfter = notAfter;
  return { expect, put, remove, announce, notAfter };
}

/** What was put and removed again counts as it was left. */
function indexEntries(group: Group, put: Change["put"][number][], remove: string[]): void {
  const left = new Map<string, boolean>();
  for (const job of group.jobs) for (const { key, there } of job.indexed) left.set(key, there);
  for (const [key, there] of left) {
    if (there) put.push({ key, value: 1 });
    else remove.push(key);
  }
}
