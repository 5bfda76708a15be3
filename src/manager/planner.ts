/** Plans jobs over the cells: the `View` that the core sees, and the drafts that the jobs of one batch leave for each other. */
import type { Happening } from "../core/happening.js";
import { agentKey, lockKey } from "../core/keys.js";
import type { AgentRecord, LockRecord, Queue } from "../core/records.js";
import type { Found, Value, View } from "../core/view.js";
import type { Range } from "../store/store.js";
import { Cells } from "./cells.js";
import { Drafts } from "./drafts.js";
import type { Hint } from "./hint.js";
import type { Cell, Draft, IndexEntry, Job } from "./job.js";

/** What a plan lacks: these ranges were never read for it. */
export type Missing = readonly Range[];

/** What the manager believes of the lock entries, beside the plans. */
export type Beliefs = Pick<Planner, "forget" | "hear" | "queueAt">;

const nothing: readonly Found[] = [];
const noRecord: AgentRecord = { locks: 0, waits: 0 };

/** Cells kept of each kind, times one to two: enough for the locks in use, some megabytes at most. */
const cellCapacity = 20_000;

export class Planner implements View {
  earliest = 0;
  latest = 0;
  managerId = "";
  ordinal = 0;

  readonly #locks = new Cells(cellCapacity, lockKey);
  readonly #agents = new Cells(cellCapacity, agentKey);
  readonly #others = new Cells(cellCapacity, (key) => key);
  readonly #leftBehind: string[] = [];
  readonly #spare: Drafts[] = [];
  #drafts = new Drafts(this.#spare);
  #mark = 0;
  #job: Job | undefined;
  #missing: Range[] = [];
  /* What the plan under way touched, in lists that are used again: a plan leaves exact copies in its job. */
  readonly #reads = new Scratch<Draft>();
  readonly #writes = new Scratch<Draft>();
  readonly #indexed = new Scratch<IndexEntry>();
  readonly #happened = new Scratch<Happening>();
  /** The drafts before each write, to be put back when the job finds no place in the batch. */
  readonly #replacedIn = new Scratch<Draft>();
  readonly #replaced = new Scratch<Value | undefined>();
  readonly #replacedWritten = new Scratch<boolean>();

  /** Begins a batch; store time is between these two while it is planned. Whoever settles the batch puts its drafts back. */
  begin(earliest: number, latest: number, managerId: string): Pick<Drafts, "putBack"> {
    this.#drafts.leave();
    this.#drafts = this.#spare.pop() ?? new Drafts(this.#spare);
    this.earliest = earliest;
    this.latest = latest;
    this.managerId = managerId;
    this.ordinal = 0;
    return this.#drafts;
  }

  /** Plans a job, leaving its reply and what it read and wrote in it. Answers which ranges it lacked. */
  plan(job: Job): Missing {
    job.clear();
    this.#job = job;
    this.#mark++;
    this.ordinal++;
    this.#missing = [];
    this.#reads.clear();
    this.#writes.clear();
    this.#indexed.clear();
    this.#happened.clear();
    this.#forgetReplaced();
    job.reply = job.command.plan(this, job);
    job.reads = this.#reads.copy();
    job.writes = this.#writes.copy();
    job.indexed = this.#indexed.copy();
    job.happened = this.#happened.copy();
    return this.#missing;
  }

  /** Takes back what the last plan wrote. */
  undo(): void {
    for (let i = this.#replacedIn.length - 1; i >= 0; i--) {
      const draft = this.#replacedIn.at(i);
      if (draft === undefined) continue;
      draft.value = this.#replaced.at(i);
      draft.written = this.#replacedWritten.at(i) ?? false;
    }
    this.#forgetReplaced();
  }

  #forgetReplaced(): void {
    this.#replacedIn.clear();
    this.#replaced.clear();
    this.#replacedWritten.clear();
  }

  /** Forgets cells that were not used lately or are left behind. To be called between batches. */
  trim(): void {
    let kept = 0;
    for (const key of this.#leftBehind) {
      const cell = this.#others.get(key);
      // What takes the entry away is under way.
      if (cell !== undefined && cell.writing > 0) this.#leftBehind[kept++] = key;
      // Unless the plan that left it behind came to nothing.
      else if (cell?.value === undefined) this.#others.delete(key);
    }
    this.#leftBehind.length = kept;
    this.#locks.trim();
    this.#agents.trim();
    this.#others.trim();
  }

  /** A commit under way writes the lock entry of this path. */
  isBeingWritten(path: string): boolean {
    return (this.#locks.get(path)?.writing ?? 0) > 0;
  }

  forget(path: string): void {
    this.#locks.get(path)?.forget();
  }

  /** What a hint says of a path's lock entry. */
  hear({ path, queue }: Hint, revision: number): void {
    this.#locks.get(path)?.hear(queue && { holders: [], queue: { ...queue } }, revision);
  }

  /* The entries are written by the core alone, under the format version that the store checks; hence the unchecked casts. */
  /* oxlint-disable typescript/no-unsafe-type-assertion */

  lock(path: string): LockRecord | undefined {
    return this.#read(this.#locks.at(path)).value as LockRecord | undefined;
  }

  /** How the queue of a path stands, for all that is believed. */
  queueAt(path: string): Queue | undefined {
    return (this.#locks.get(path)?.value as LockRecord | undefined)?.queue;
  }

  agent(agentId: string): AgentRecord {
    return (this.#read(this.#agents.at(agentId)).value as AgentRecord | undefined) ?? noRecord;
  }

  /* oxlint-enable typescript/no-unsafe-type-assertion */

  lockRevision(path: string): number {
    const { base, written } = this.#read(this.#locks.at(path));
    return written ? 0 : base;
  }

  putLock(path: string, record: LockRecord): void {
    const isEmpty = record.holders.length === 0 && record.queue === undefined;
    this.#write(this.#locks.at(path)).value = isEmpty ? undefined : record;
  }

  putAgent(agentId: string, record: AgentRecord): void {
    const isEmpty = record.locks === 0 && record.waits === 0;
    this.#write(this.#agents.at(agentId)).value = isEmpty ? undefined : record;
  }

  index(key: string, value: Value): void {
    this.#indexed.push({ key, value });
  }

  unindex(key: string): void {
    this.#indexed.push({ key, value: undefined });
  }

  get(key: string): Value | undefined {
    return this.#read(this.#others.at(key)).value;
  }

  revision(key: string): number {
    const { base, written } = this.#read(this.#others.at(key));
    return written ? 0 : base;
  }

  knows(key: string): boolean {
    const cell = this.#others.get(key);
    return cell !== undefined && (cell.learned > 0 || cell.draft?.written === true);
  }

  range(prefix: string, limit?: number, after?: string): readonly Found[] {
    const job = this.#planned();
    const loaded = job.loaded.find(
      ({ range }) => range.prefix === prefix && range.limit === limit && range.after === after,
    );
    if (loaded === undefined) {
      this.#missing.push({
        prefix,
        ...(limit === undefined ? {} : { limit }),
        ...(after === undefined ? {} : { after }),
      });
      return nothing;
    }
    job.ranges = [...job.ranges, { range: loaded.range, unchangedSince: loaded.revision }];
    return loaded.found;
  }

  forgetRanges(): void {
    this.#planned().ranges = [];
  }

  put(key: string, value: Value): void {
    this.#write(this.#others.at(key)).value = value;
  }

  remove(key: string): void {
    this.#write(this.#others.at(key)).value = undefined;
  }

  leaveBehind(key: string): void {
    this.#leftBehind.push(key);
  }

  announce(path: string): void {
    const job = this.#planned();
    job.announced = [...job.announced, path];
  }

  before(time: number): void {
    const job = this.#planned();
    job.notAfter = Math.min(job.notAfter, time);
  }

  tell(happening: Happening): void {
    this.#happened.push(happening);
  }

  #planned(): Job {
    if (this.#job === undefined) throw new Error("The view is only there while a job is planned.");
    return this.#job;
  }

  #read(cell: Cell): Draft {
    const draft = cell.draft ?? this.#drafts.of(cell);
    if (draft.readBy !== this.#mark) {
      draft.readBy = this.#mark;
      this.#reads.push(draft);
    }
    return draft;
  }

  #write(cell: Cell): Draft {
    const draft = cell.draft ?? this.#drafts.of(cell);
    this.#replacedIn.push(draft);
    this.#replaced.push(draft.value);
    this.#replacedWritten.push(draft.written);
    draft.written = true;
    if (draft.writtenBy !== this.#mark) {
      draft.writtenBy = this.#mark;
      this.#writes.push(draft);
    }
    return draft;
  }
}

const empty: never[] = [];

/** A list that is filled again and again: it keeps its room, where a fresh array would be grown anew each time. */
class Scratch<Item> {
  readonly #items: Item[] = [];
  length = 0;

  push(item: Item): void {
    this.#items[this.length++] = item;
  }

  at(index: number): Item | undefined {
    return this.#items[index];
  }

  copy(): readonly Item[] {
    return this.length === 0 ? empty : this.#items.slice(0, this.length);
  }

  clear(): void {
    this.length = 0;
  }
}
