/** Keeps this process's replica up with the log, whoever writes it. */
import type { Clock } from "../../clock/clock.js";
import { type HintListener, StoreError } from "../store.js";
import { damaged, unreadable } from "./files.js";
import type { Log } from "./log.js";
import { Replica } from "./replica.js";
import { decodeRow, type Row } from "./row.js";

/** Rows are read in slices of about so long, between which the event loop runs. */
const sliceMs = 8;
/** After so many slices the rest is read in one go: others may tidy the log as fast as it is read. */
const mostSlices = 2000;

export class Follower {
  /** Replaced by a new one when this process slept while rows that it had not seen were tidied away. */
  replica = new Replica();
  readonly #directory: string;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #announce: HintListener;
  /** Whether the replica was found to be all of the log. */
  #complete = false;
  /** Rows up to this one were announced, or are older than this process. */
  #announced = Number.POSITIVE_INFINITY;
  #stopped = false;

  constructor(directory: string, log: Log, clock: Clock, announce: HintListener) {
    this.#directory = directory;
    this.#log = log;
    this.#clock = clock;
    this.#announce = announce;
  }

  async load(): Promise<void> {
    await this.follow();
    this.#announced = this.replica.newest;
  }

  /** Applies every row that was committed before the call. Whoever awaits this goes on with the replica as it is then. */
  async follow(): Promise<void> {
    for (let slices = 1; ; slices += 1) {
      this.#log.release();
      const deadline = slices < mostSlices ? this.#clock.monotonic() + sliceMs : Number.POSITIVE_INFINITY;
      const isDone = this.#read(deadline);
      this.#log.release();
      if (isDone) return;
      await new Promise<void>((resolve) => this.#clock.nextTurn(resolve));
      if (this.#stopped) {
        throw new StoreError(`The embedded store in "${this.#directory}" was closed meanwhile.`, {
          outcome: "none",
          retryable: false,
        });
      }
    }
  }

  /** To be called before the log is closed: ends what is still reading it. */
  stop(): void {
    this.#stopped = true;
  }

  /** The same at once: inside a transaction, where nobody else writes. */
  followNow(): void {
    this.#read(Number.POSITIVE_INFINITY);
  }

  /** To be called when a row that this process appended is on disk. */
  applyOwn(row: Row, bytes: number): void {
    this.replica.apply(this.replica.newest + 1, row, bytes);
    this.#announced = this.replica.newest;
  }

  /** True when it came to the end of the log, false when the time was up. */
  #read(deadline: number): boolean {
    try {
      while (this.#clock.monotonic() < deadline) {
        if (this.#readRow()) return true;
      }
      return false;
    } catch (error) {
      if (error instanceof StoreError) throw error;
      throw damaged(this.#directory, unreadable(error), error);
    }
  }

  /** True when there is no further row. */
  #readRow(): boolean {
    const { newest } = this.replica;
    const number = newest === 0 ? this.#oldest() : newest + 1;
    const bytes = this.#log.row(number);
    if (bytes === undefined) {
      if (newest !== 0 && this.#log.has(newest)) {
        this.#requireComplete();
        return true;
      }
      this.replica = new Replica();
      this.#complete = false;
      return false;
    }
    const row = decodeRow(number, bytes);
    if (row === undefined) {
      throw damaged(this.#directory, `row ${number} of the log does not match its checksum`);
    }
    this.replica.apply(number, row, bytes.length);
    if (number > this.#announced) {
      this.#announced = number;
      this.#announce(row.announced, row.revision);
    }
    return false;
  }

  #oldest(): number {
    const ends = this.#log.ends();
    if (ends === undefined) throw damaged(this.#directory, "the log has no rows");
    return ends[0];
  }

  /** Rows that are missing at either end, or between, must not go unnoticed: they hold locks. */
  #requireComplete(): void {
    if (this.#complete) return;
    const { begins, newest } = this.replica;
    const [first, last] = this.#log.ends() ?? [0, 0];
    if (first !== begins || last !== newest) {
      throw damaged(
        this.#directory,
        `its log has rows ${first} to ${last}, and should have rows ${begins} to ${newest} at least`,
      );
    }
    this.#complete = true;
  }
}
