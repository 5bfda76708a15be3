/** Opens the LMDB files of a store, all in one way. */
import { openAsClass, type RootDatabase, type TransactionFlags } from "lmdb";
import { type Clock, sleep } from "../../clock/clock.js";
import { codeOf } from "./failures.js";

export type LmdbFile = RootDatabase<Buffer, number | string>;

/** Address space, not disk. LMDB would grow a smaller map on its own, but then every process has to map the file anew. */
const mapSize = 2 ** 36;
/** Each process that reads takes one place. */
const maxReaders = 1024;
/** EINVAL for a mutex that is destroyed; ENOENT for a semaphore that is gone, which macOS has instead. */
const codesOfLeaving: readonly unknown[] = [22, 2];
const mostAttempts = 50;

/** LMDB has no transaction for whoever opens its file or writes to it. */
export class NotBegun extends Error {
  override name = "NotBegun";
}

/** `overlappingSync: false`: a transaction has ended only when its pages, and then the page that makes them valid, are on disk. */
export function openLmdb(path: string): LmdbFile {
  const options = {
    path,
    noSubdir: true,
    isRoot: true,
    encoding: "binary",
    overlappingSync: false,
    mapSize,
    maxReaders,
  } as const;
  // Not `open`, which leaves the file open when it fails to make a database of it.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Its type has a method `new` where it means a constructor.
  const Database = openAsClass<Buffer, number | string>(options) as unknown as new (
    name: null,
    settings: object,
  ) => LmdbFile;
  class Checked extends Database {
    override transactionSync<T>(work: () => T, flags?: TransactionFlags): T {
      const begin = () => {
        // The wrapper goes on without a transaction when LMDB could not begin one (env.cpp, `EnvWrap::beginTxn`).
        if (this.getWriteTxnId() === 0) throw new NotBegun("LMDB could not begin a transaction");
        return work();
      };
      return super.transactionSync(begin, flags);
    }
  }
  try {
    return new Checked(null, options);
  } catch (error) {
    // oxlint-disable-next-line typescript/no-unsafe-assignment -- All that closing a file needs to know of its database.
    const halfOpen: LmdbFile = Object.assign(Object.create(Checked.prototype), { isRoot: true });
    // oxlint-disable-next-line typescript/no-floating-promises -- Closed at once, because there is nothing to wait for.
    halfOpen.close();
    throw error;
  }
}

/**
 * The last process that closes an LMDB file destroys its locks, while another that is opening it may already wait to share
 * them (mdb.c, `mdb_env_close_active` and `mdb_env_excl_lock`). That one closes it as well and begins again, at last alone.
 */
export async function openPatiently<T>(clock: Clock, open: () => T): Promise<T> {
  for (let attempts = 1; ; attempts += 1) {
    try {
      return open();
    } catch (error) {
      const isLeft = error instanceof NotBegun || codesOfLeaving.includes(codeOf(error));
      if (attempts === mostAttempts || !isLeft) throw error;
      // Those that met each other there must not do so again.
      await sleep(clock, Math.random() * attempts);
    }
  }
}
