/**
 * The state of the store as this process knows it: what the rows of the log add up to.
 *
 * The log is all there is on disk; there are no snapshots. Instead each commit also removes a few of the oldest rows and
 * carries what is still current in them over into its own row. A removed key needs no tombstone beyond the row that removed
 * it: rows go strictly from the oldest end, so an older row that puts the key is gone before that row is.
 */
import type { Entry, StoreTime } from "../store.js";
import { Table } from "../table.js";
import type { Row } from "./row.js";

/** The log may have so many rows' worth of keys beyond twice the live ones before it is tidied. */
const slackKeys = 1024;
/** Above this size the slack is only `leastSlackKeys`: values of many kilobytes must not fill the disk. */
const slackBytes = 16 * 1024 * 1024;
const leastSlackKeys = 16;

interface RowInLog {
  readonly entries: readonly Entry[];
  /** The keys that it names, at least 1. */
  readonly weight: number;
  readonly bytes: number;
}

export interface Tidying {
  readonly carried: readonly Entry[];
  readonly oldest: number;
}

export class Replica {
  readonly table = new Table();
  /** The newest row that was applied; 0: none yet. */
  newest = 0;
  /** The oldest row of the log that was applied. */
  oldest = 0;
  /** The oldest row that the log should have, according to the newest. */
  begins = 0;
  /** Store time of the newest row. */
  storeTime: StoreTime = 0;
  readonly #rows = new Map<number, RowInLog>();
  #weight = 0;
  #bytes = 0;

  /** Applies the row after the newest one; any row if there is none yet. */
  apply(number: number, row: Row, bytes: number): void {
    const { table } = this;
    for (const entry of row.carried) table.set(entry);
    for (const entry of row.put) table.set(entry);
    for (const key of row.removed) table.remove(key);
    table.revision = row.revision;
    this.storeTime = Math.max(this.storeTime, row.storeTime);
    if (this.newest === 0) this.oldest = number;
    this.newest = number;
    this.begins = row.oldest;

    const entries = row.carried.length === 0 ? row.put : [...row.carried, ...row.put];
    const weight = Math.max(1, entries.length + row.removed.length);
    this.#rows.set(number, { entries, weight, bytes });
    this.#weight += weight;
    this.#bytes += bytes;
    while (this.oldest < row.oldest) this.#forget(this.oldest);
  }

  /**
   * What the next row has to carry so that the log may begin later, when the log is too long.
   *
   * For each key it writes, a commit looks at two old ones: so the log stays within about twice the live keys plus the
   * slack, and no commit has much more to do than another.
   */
  tidy(keysWritten: number): Tidying {
    const carried: Entry[] = [];
    const slack = this.#bytes > slackBytes ? leastSlackKeys : slackKeys;
    const allowed = 2 * this.table.size + slack;
    let oldest = this.oldest;
    let weight = this.#weight + keysWritten;
    let left = 2 * keysWritten + leastSlackKeys;
    while (weight > allowed && left > 0 && oldest < this.newest) {
      const row = this.#rows.get(oldest);
      if (row === undefined) break;
      const current = this.carriedFrom(oldest);
      carried.push(...current);
      weight += current.length - row.weight;
      left -= row.weight;
      oldest += 1;
    }
    return { carried, oldest };
  }

  /** What is still current of a row, so that the log needs the row no longer if the next one carries it. */
  carriedFrom(number: number): Entry[] {
    const entries = this.#rows.get(number)?.entries ?? [];
    return entries.filter((entry) => this.table.get(entry.key) === entry);
  }

  #forget(number: number): void {
    const row = this.#rows.get(number);
    this.#rows.delete(number);
    this.#weight -= row?.weight ?? 0;
    this.#bytes -= row?.bytes ?? 0;
    this.oldest = number + 1;
  }
}
