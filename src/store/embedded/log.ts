/** The database file: numbered rows without gaps, and a few named notes beside them. */
import { open, type RootDatabase } from "lmdb";
import { mayWait, waitsNoMore } from "./nudge.js";
import { encodeRow, type Row } from "./row.js";

/** Address space, not disk. LMDB would grow a smaller map on its own, but then every process has to map the file anew. */
const mapSize = 2 ** 36;
/** Each process that reads takes one place. */
const maxReaders = 1024;

export class Log {
  readonly #db: RootDatabase<Buffer, number | string>;

  /** `overlappingSync: false`: a transaction has ended only when its pages, and then the page that makes them valid, are on disk. */
  constructor(file: string) {
    mayWait();
    try {
      this.#db = open({
        path: file,
        noSubdir: true,
        encoding: "binary",
        overlappingSync: false,
        mapSize,
        maxReaders,
      });
    } finally {
      waitsNoMore();
    }
  }

  /** Lets the following reads see whatever any process has committed by now. */
  refresh(): void {
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
   * Runs the work while no other process writes, and returns once what it wrote is flushed to disk. What it reads is what
   * was committed last. When the work throws, nothing was written.
   */
  transact<T>(work: () => T): T {
    mayWait();
    try {
      return this.#db.transactionSync(() => {
        waitsNoMore();
        return work();
      });
    } finally {
      waitsNoMore();
    }
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

  close(): Promise<void> {
    return this.#db.close();
  }
}
