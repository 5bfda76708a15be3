/** A command on its way through the pipeline: the job it becomes, the cells it touches, the group it goes to the store with. */
import type { Happening } from "../core/happening.js";
import type { Found, Value, View } from "../core/view.js";
import type { Entry, Range } from "../store/store.js";

/** Something to plan and commit. The pipeline calls exactly one of `done` and `fail`, once. */
export interface Command<Reply> {
  /** Where it acts, when that is one path. Commands on one path meet: once one found no place in a batch, the others are not even planned. */
  readonly path?: string | undefined;
  /** It lets a waiter have the lock whose turn may have come: nobody behind it gets on before it does. */
  readonly isInTurn?: boolean | undefined;
  /**
   * How long it may wait for another command of this manager on its path, to share a commit with it, in milliseconds; asked before each try.
   */
  readonly patienceMs?: number | undefined;
  /**
   * What it finds expired may have been extended since the store has shown it: a reply that changes nothing is proved by a commit, also when all that it
   * looked at was learned during the call.
   */
  readonly mustBeProved?: boolean | undefined;
  /** It is planned from nothing that was learned before it was submitted. */
  readonly isAfresh?: boolean | undefined;
  /** How long the acquire that it is part of has waited, in milliseconds. */
  readonly waitedMs?: number | undefined;
  /** The transition; called again whenever the store turned out to be different. */
  plan(view: View, attempts: Attempts): Reply;
  /**
   * True for "still waiting", which a later hint corrects. Any other reply that changes nothing is a refusal or a denial, and is proved by the store
   * before it is given.
   */
  isProvisional?(reply: Reply): boolean;
  done(reply: Reply, commit: Commit): void;
  fail(error: unknown): void;
}

/** What became of a command so far. */
export interface Attempts {
  /** One of them may have been applied. */
  readonly uncertain: boolean;
  /** How often another writer was faster. */
  readonly conflicts: number;
}

/** What came of a command. */
export interface Commit {
  /** The token of what was granted with token 0. */
  readonly revision: number;
  /** True when an earlier attempt ended without an answer. */
  readonly uncertain: boolean;
}

/** An entry put, or (without a value) removed, that is only ever found through ranges. */
export interface IndexEntry {
  readonly key: string;
  readonly value: Value | undefined;
}

export interface RangeExpectation {
  readonly range: Range;
  readonly unchangedSince: number;
}

/** A range as it was read for a job. */
export interface ReadRange {
  readonly range: Range;
  readonly found: readonly Found[];
  readonly revision: number;
}

export class Job implements Attempts {
  readonly command: Command<unknown>;
  /** In the order of the calls. */
  readonly number: number;
  /** Serial number of the store requests when the call began: what was learned later is an answer given in this call. */
  since: number;
  /** What was learned up to this serial number is no more than a guess. */
  guessUpTo: number;
  /** Local monotonic time after which conflicts are no longer fought out; `undefined`: some while after the first one. */
  giveUpAt: number | undefined;

  /* What the last plan came to. */
  reads: readonly Draft[] = none;
  writes: readonly Draft[] = none;
  indexed: readonly IndexEntry[] = none;
  ranges: readonly RangeExpectation[] = none;
  announced: readonly string[] = none;
  happened: readonly Happening[] = none;
  notAfter = Infinity;
  reply: unknown = undefined;

  /** Ranges read for this job; gone after each attempt to commit. */
  loaded: readonly ReadRange[] = none;
  /** After a conflict in a merged change, tried on its own. */
  alone = false;
  /** An earlier attempt may have been applied. */
  uncertain = false;
  failures = 0;
  conflicts = 0;
  loads = 0;
  /** How often it was planned since its time was up. */
  overtime = 0;
  cancelled = false;

  constructor(command: Command<unknown>, number: number, since: number, giveUpAt: number | undefined) {
    this.command = command;
    this.number = number;
    this.since = since;
    this.guessUpTo = command.isAfresh === true ? since : 0;
    this.giveUpAt = giveUpAt;
  }

  /** How many keys its change names. */
  get size(): number {
    return this.reads.length + this.writes.length + this.indexed.length;
  }

  /** Forgets the last plan. */
  clear(): void {
    this.ranges = none;
    this.announced = none;
    this.notAfter = Infinity;
  }
}

const none: never[] = [];
/** As old as can be: what is only hearsay is no answer given in any call. */
const hearsay = 1;

/**
 * What the manager believes of one key of the store.
 *
 * A belief may be used to try, never to refuse: every change expects what it was planned from, so a stale or missing cell costs a retry and nothing else.
 */
export class Cell {
  readonly key: string;
  /** As last seen; `undefined`: absent, or nothing is known. */
  value: Value | undefined = undefined;
  /** 0: absent, or nothing is known. */
  revision = 0;
  /** Serial number of the store request that taught this; 0: a guess. */
  learned = 0;
  /** Its draft in the batch that is planned. */
  draft: Draft | undefined = undefined;
  /** How many commits under way, and jobs that wait for them, expect it, and write it. */
  expecting = 0;
  writing = 0;

  constructor(key: string) {
    this.key = key;
  }

  learn(entry: Entry | undefined, serial: number): void {
    this.value = entry?.value;
    this.revision = entry?.revision ?? 0;
    this.learned = serial;
  }

  /** A commit that expected this revision was applied. That proves what is known, unless it was forgotten or read anew meanwhile. */
  prove(revision: number, serial: number): void {
    if (revision === this.revision) this.learned = serial;
  }

  /** The commit of this value was applied. */
  wrote(value: Value | undefined, revision: number, serial: number): void {
    this.value = value;
    this.revision = value === undefined ? 0 : revision;
    this.learned = serial;
  }

  /** A hint says so; or (without a value, or a revision) only that it changed. A late hint changes nothing that is known to be newer. */
  hear(value: Value | undefined, revision: number): void {
    if (revision !== 0 && revision <= this.revision) return;
    this.forget();
    if (value === undefined || revision === 0) return;
    this.value = value;
    this.revision = revision;
    this.learned = hearsay;
  }

  forget(): void {
    this.value = undefined;
    this.revision = 0;
    this.learned = 0;
  }
}

/**
 * What a batch makes of a cell. There are few, used again from batch to batch, because most cells rest: only valid until its batch is settled.
 */
export class Draft {
  cell: Cell;
  value: Value | undefined;
  /** The revision that it was begun from: the cell itself may be forgotten while the batch is planned. */
  base: number;
  written = false;
  /** Numbers of the groups that write and read it; 0: none. */
  writer = 0;
  reader = 0;
  /** Numbers of the plan, and of the group, that last listed it. */
  readBy = 0;
  writtenBy = 0;
  expectedBy = 0;
  putBy = 0;

  constructor(cell: Cell) {
    this.cell = cell;
    this.value = cell.value;
    this.base = cell.revision;
  }

  /** Begins anew, for another cell. */
  of(cell: Cell): this {
    this.cell = cell;
    this.value = cell.value;
    this.base = cell.revision;
    this.written = false;
    this.writer = 0;
    this.reader = 0;
    return this;
  }
}

/** Jobs that share keys, and so become one change. */
export class Group {
  /** Never used twice. */
  readonly number: number;
  readonly jobs: Job[];
  readonly ranges: RangeExpectation[];
  keys: number;
  /** What the change that was sent expects and writes, and when it can no longer be applied. */
  expected: readonly Draft[] = none;
  written: readonly Draft[] = none;
  notAfter = Infinity;
  #mergedInto: Group | undefined = undefined;

  constructor(number: number, job: Job) {
    this.number = number;
    this.jobs = [job];
    this.ranges = [...job.ranges];
    this.keys = job.size;
  }

  root(): Group {
    return this.#mergedInto?.root() ?? this;
  }

  add(job: Job): void {
    this.jobs.push(job);
    this.ranges.push(...job.ranges);
    this.keys += job.size;
  }

  absorb(other: Group): void {
    this.jobs.push(...other.jobs);
    this.ranges.push(...other.ranges);
    this.keys += other.keys;
    other.#mergedInto = this;
  }
}
