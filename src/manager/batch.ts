/** One batch: the plans that go to the store together, and which of them must become one change. */
import { lockKey } from "../core/keys.js";
import type { LockRecord } from "../core/records.js";
import type { Change, Expectation } from "../store/store.js";
import { hintText } from "./hint.js";
import { type Draft, Group, type IndexEntry, type Job, type RangeExpectation } from "./job.js";

/** More commands than this are not merged: a conflict would make all of them try again. */
const mostJobsPerGroup = 32;
/** A cell that several groups read. */
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
    if (met.length > 0 && !this.#mayJoin(job, met)) return false;
    if (this.#crossesRange(job, met)) return false;

    let group = met[0];
    if (group === undefined) {
      group = new Group(this.#firstNumber + this.#groups.length, job);
      this.#groups.push(group);
    } else {
      for (let i = 1; i < met.length; i++) group.absorb(met[i] ?? group);
      group.add(job);
    }
    if (job.ranges.length > 0) this.#rangeGroups.push(group);
    this.#mark(job, group);
    return true;
  }

  #mayJoin(job: Job, met: readonly Group[]): boolean {
    let { size } = job;
    let jobs = 1;
    for (const group of met) {
      size += group.keys;
      jobs += group.jobs.length;
    }
    return (
      !job.alone &&
      !met.some((group) => group.jobs.some((one) => one.alone)) &&
      jobs <= mostJobsPerGroup &&
      size <= this.#maxKeys
    );
  }

  /** The groups whose keys the job meets; `undefined` when those are too many to tell. */
  #met(job: Job): Group[] | undefined {
    const met: Group[] = [];
    for (const { writer } of job.reads) if (writer !== 0) this.#meet(writer, met);
    for (const { writer, reader } of job.writes) {
      if (reader === many) return undefined;
      if (writer !== 0) this.#meet(writer, met);
      if (reader !== 0) this.#meet(reader, met);
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
    const inRange = (ranges: readonly RangeExpectation[], { writes, indexed }: Job): boolean =>
      ranges.some(
        ({ range: { prefix } }) =>
          writes.some(({ cell }) => cell.key.startsWith(prefix)) ||
          indexed.some(({ key }) => key.startsWith(prefix)),
      );
    return (
      others(this.#rangeGroups).some((group) => inRange(group.ranges, job)) ||
      // A range does not show the drafts of this batch, so not even its own change may write there before it.
      (job.ranges.length > 0 &&
        this.#groups.some((group) => group.jobs.some((one) => inRange(job.ranges, one))))
    );
  }

  #mark(job: Job, group: Group): void {
    for (const draft of job.reads) {
      const known = draft.reader > 0 ? this.#groups[draft.reader - this.#firstNumber]?.root() : group;
      draft.reader = draft.reader !== many && known === group ? group.number : many;
    }
    for (const draft of job.writes) draft.writer = group.number;
  }

  /** The groups to send, in the order of their first jobs. */
  groups(): Group[] {
    return this.#groups.filter((group) => group.root() === group);
  }
}

/** What a group asks of the store. `patience`: store time after which it must no longer be applied. */
export function changeOf(group: Group, patience: number): Change {
  const [first] = group.jobs;
  const one = group.jobs.length === 1 ? first : undefined;
  gather(group, one);
  const expect: Expectation[] = [];
  for (const { cell, base } of group.expected) expect.push({ key: cell.key, revision: base });
  for (const range of group.ranges) expect.push(range);
  const put: Change["put"][number][] = [];
  const remove: string[] = [];
  for (const { cell, value, base, expectedBy } of group.written) {
    if (value !== undefined) put.push({ key: cell.key, value });
    // Expected to be absent: there is nothing to remove.
    else if (expectedBy !== group.number || base !== 0) remove.push(cell.key);
  }
  for (const { key, value } of lastOfEach(one?.indexed ?? inAll(group, (job) => job.indexed))) {
    if (value !== undefined) put.push({ key, value });
    else remove.push(key);
  }
  group.notAfter = patience;
  for (const job of group.jobs) group.notAfter = Math.min(group.notAfter, job.notAfter);
  const announced = one?.announced ?? eachOnce(inAll(group, (job) => job.announced));
  return {
    expect,
    put,
    remove,
    announce: announced.length === 0 ? announced : announced.map((path) => hintAt(path, group)),
    notAfter: group.notAfter,
  };
}

function hintAt(path: string, { written }: Group): string {
  const key = lockKey(path);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Under this key it is the entry of a lock.
  return hintText(path, written.find(({ cell }) => cell.key === key)?.value as LockRecord | undefined);
}

/** Lists what the jobs read and wrote, each cell once. */
function gather(group: Group, one: Job | undefined): void {
  const { number } = group;
  if (one !== undefined) {
    for (const draft of one.reads) draft.expectedBy = number;
    group.expected = one.reads;
    group.written = one.writes;
    return;
  }
  const expected: Draft[] = [];
  const written: Draft[] = [];
  for (const job of group.jobs) {
    for (const draft of job.reads) {
      if (draft.expectedBy === number) continue;
      draft.expectedBy = number;
      expected.push(draft);
    }
    for (const draft of job.writes) {
      if (draft.putBy === number) continue;
      draft.putBy = number;
      written.push(draft);
    }
  }
  group.expected = expected;
  group.written = written;
}

function inAll<Item>({ jobs }: Group, of: (job: Job) => readonly Item[]): readonly Item[] {
  const all: Item[] = [];
  for (const job of jobs) for (const item of of(job)) all.push(item);
  return all;
}

function eachOnce(paths: readonly string[]): readonly string[] {
  return paths.length < 2 ? paths : [...new Set(paths)];
}

/** As many are quicker compared with each other than put into a map. */
const few = 16;

/** An index entry that was put and removed again counts as it was left. */
function lastOfEach(entries: readonly IndexEntry[]): readonly IndexEntry[] {
  if (entries.length < 2) return entries;
  if (entries.length > few) return [...new Map(entries.map((entry) => [entry.key, entry])).values()];
  return entries.filter(({ key }, place) => !isNamed(entries, key, place + 1));
}

function isNamed(entries: readonly IndexEntry[], key: string, from: number): boolean {
  for (let place = from; place < entries.length; place++) if (entries[place]?.key === key) return true;
  return false;
}
