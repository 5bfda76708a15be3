/** Plans jobs over the cells: the `View` that the core sees, and the drafts that the jobs of one batch leave for each other. */
import type { Happening } from "../core/happening.js";
import type { Found, Value, View } from "../core/view.js";
import type { Range } from "../store/store.js";
import type { Cells } from "./cells.js";
import type { Cell, Job } from "./job.js";

/** What a plan lacks: these ranges were never read for it. */
export type Missing = readonly Range[];

const nothing: readonly Found[] = [];

export class Planner implements View {
  earliest = 0;
  latest = 0;
  managerId = "";
  ordinal = 0;

  readonly #cells: Cells;
  #batch = 0;
  #mark = 0;
  #job: Job | undefined;
  #missing: Range[] = [];
  /** The drafts that the plan replaced, to be put back when the job finds no place in the batch. */
  #replaced: { cell: Cell; draft: Value | undefined; written: boolean }[] = [];

  constructor(cells: Cells) {
    this.#cells = cells;
  }

  /** Begins a batch; store time is between these two while it is planned. */
  begin(batch: number, earliest: number, latest: number, managerId: string): void {
    this.#batch = batch;
    this.earliest = earliest;
    this.latest = latest;
    this.managerId = managerId;
    this.ordinal = 0;
  }

  /** Plans a job, leaving its reply and what it read and wrote in it. Answers which ranges it lacked. */
  plan(job: Job): Missing {
    job.clear();
    this.#job = job;
    this.#mark++;
    this.ordinal++;
    this.#missing = [];
    this.#replaced = [];
    job.reply = job.command.plan(this, job.uncertain);
    return this.#missing;
  }

  /** Takes back what the last plan wrote. */
  undo(): void {
    for (let i = this.#replaced.length - 1; i >= 0; i--) {
      const last = this.#replaced[i];
      if (last === undefined) continue;
      last.cell.draft = last.draft;
      last.cell.written = last.written;
    }
    this.#replaced = [];
  }

  get(key: string): Value | undefined {
    return this.#read(key).draft;
  }

  revision(key: string): number {
    const cell = this.#read(key);
    return cell.written ? 0 : cell.revision;
  }

  knows(key: string): boolean {
    const cell = this.#cells.find(key);
    return cell !== undefined && (cell.learned > 0 || (cell.batch === this.#batch && cell.written));
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
    job.ranges.push({ range: loaded.range, unchangedSince: loaded.revision });
    return loaded.found;
  }

  forgetRanges(): void {
    this.#planned().ranges = [];
  }

  put(key: string, value: Value): void {
    this.#write(key).draft = value;
  }

  remove(key: string): void {
    this.#write(key).draft = undefined;
  }

  announce(path: string): void {
    this.#planned().announced.push(path);
  }

  before(time: number): void {
    const job = this.#planned();
    if (time < job.notAfter) job.notAfter = time;
  }

  tell(happening: Happening): void {
    this.#planned().happened.push(happening);
  }

  #planned(): Job {
    if (this.#job === undefined) throw new Error("The view is only there while a job is planned.");
    return this.#job;
  }

  #read(key: string): Cell {
    const cell = this.#drafted(key);
    if (cell.readBy !== this.#mark) {
      cell.readBy = this.#mark;
      this.#planned().reads.push(cell);
    }
    return cell;
  }

  #write(key: string): Cell {
    const cell = this.#drafted(key);
    this.#replaced.push({ cell, draft: cell.draft, written: cell.written });
    cell.written = true;
    if (cell.writtenBy !== this.#mark) {
      cell.writtenBy = this.#mark;
      this.#planned().writes.push(cell);
    }
    return cell;
  }

  #drafted(key: string): Cell {
    const cell = this.#cells.at(key);
    if (cell.batch !== this.#batch) {
      cell.batch = this.#batch;
      cell.draft = cell.value;
      cell.written = false;
      cell.writer = 0;
      cell.reader = 0;
    }
    return cell;
  }
}
