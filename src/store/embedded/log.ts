/** The database file: numbered rows without gaps, and a few named notes beside them. */
import { type LmdbFile, openLmdb } from "./lmdb-file.js";
import { encodeRow, type Row } from "./row.js";
import type { Turnstile } from "./turnstile.js";

export class Log {
  readonly #turnstile: Turnstile;
  readonly #db: LmdbFile;

  /** From now on the turnstile belongs to the log, unless this throws. */
  constructor(file: string, turnstile: Turnstile) {
    this.#turnstile = turnstile;
    this.#db = turnstile.pass(() => openLmdb(file));
  }

  /**
   * Lets go of the state that was read, so that the following reads see whatever any process has committed by now.
   *
   * Its pages are not used again until then: whoever keeps it while it waits for its turn, or is stopped, makes the file grow
   * with every commit of the others.
   */
  release(): void {
    this.#db.resetReadTxn();
  }

  row(number: number): Buffer | undefined {
    return this.#db.get(number);
  }

  has(number: number): boolean {
    return this.#db.doesExist(number);
  }

  /** The numbers of the oldest and of the newest row; `undefined` when there is none. */
  ends(): readonly [oldest: number, newest: number] | undefined {
    const [oldest] = this.#db.getKeys({ start: 0, end: Number.MAX_SAFE_INTEGER, limit: 1 });
    const [newest] = this.#db.getKeys({ start: Number.MAX_SAFE_INTEGER, end: 0, reverse: true, limit: 1 });
    return typeof oldest === "number" && typeof newest === "number" ? [oldest, newest] : undefined;
  }

  /** `undefined` when there is no such note, or it is not JSON. */
  note(name: string): unknown {
    const bytes = this.#db.get(name);
    if (bytes === undefined) return undefined;
    try {
      return JSON.parse(bytes.toString("utf8"));
    } catch {
      // A note that cannot be read is as good as none: whoever asked refuses what is missing.
      return undefined;
    }
  }

  /** Only inside `transact`. */
  writeNote(name: string, value: object): void {
    this.#db.putSync(name, Buffer.from(JSON.stringify(value)));
  }

  /** Only inside `transact`. Returns the size of the row. Rows from `oldest` up to the one that the new row names go. */
  append(number: number, row: Row, oldest: number): number {
    const bytes = encodeRow(number, row);
    this.#db.putSync(number, bytes);
    for (let gone = oldest; gone < row.oldest; gone += 1) this.#db.removeSync(gone);
    return bytes.length;
  }

  /**
   * Runs the work while no other process writes or opens the log, and returns once what it wrote is flushed to disk. What it reads is what
   * was committed last. When the work throws, nothing was written.
   */
  transact<T>(work: () => T): T {
    this.release();
    return this.#turnstile.pass(() => this.#db.transactionSync(work));
  }

  /** False when LMDB refuses even to read, as it does after some failed writes. */
  isUsable(): boolean {
    try {
      this.#db.resetReadTxn();
      this.#db.doesExist(0);
      return true;
    } catch {
      // Whoever asks has the failure that led to it.
      return false;
    }
  }

  /** Gives back what processes that were killed held: they would keep old pages from being used again. */
  dropDeadReaders(): void {
    this.#db.readerCheck();
  }

  async close(): Promise<void> {
    await this.#db.close();
    await this.#turnstile.close();
  }
}
