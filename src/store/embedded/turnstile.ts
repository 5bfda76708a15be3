/**
 * Lets through one at a time: a process that opens the log, or one that writes to it.
 *
 * Whoever opens an LMDB file writes into the memory that all its processes share which transaction is the newest, as it read
 * it from the file a moment before (mdb.c, `mdb_env_open2`, of LMDB 1.0 as of lmdb 3.5). A transaction that was committed in
 * between is taken back by this: the next one begins from the state before it and takes its place. LMDB's own lock for
 * writers cannot keep the two apart, because it is to be had only once the file is open. So that of another LMDB file does,
 * one which nobody writes to any more, and where there is nothing to take back. The system gives the lock back when a process dies.
 */
import { type LmdbFile, openLmdb } from "./lmdb-file.js";
import { mayWait, waitsNoMore } from "./nudge.js";

export class Turnstile {
  readonly #file: LmdbFile;

  constructor(file: string) {
    mayWait();
    try {
      this.#file = openLmdb(file);
    } finally {
      waitsNoMore();
    }
  }

  /** Runs the work while nobody else is let through. It holds up the event loop until its turn has come. */
  pass<T>(work: () => T): T {
    mayWait();
    try {
      return this.#file.transactionSync(() => {
        waitsNoMore();
        return work();
      });
    } finally {
      waitsNoMore();
    }
  }

  /** To be called once, when the file is made: so that it is on disk before anybody finds it. */
  inscribe(text: string): void {
    this.pass(() => this.#file.putSync("about", Buffer.from(text)));
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
