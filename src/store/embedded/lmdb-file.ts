/** Opens the LMDB files of a store, all in one way. */

import type { RootDatabase, TransactionFlags } from "lmdb";
import * as lmdb from "lmdb";
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
  const Database = openWhole(options);
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

type Constructor = new (name: null, settings: object) => LmdbFile;

/**
 * The wrapper looks for dead readers when it has opened a file, and leaves it open when it cannot (open.js, `readerCheck`). It would then find the same
 * file with the same destroyed locks whenever it opens it again, and keep all other processes from making the locks anew.
 *
 * What it leaves open can be had only on the way there: it is told its path in between.
 */
function openWhole(options: object): Constructor {
  const opened: { close(): void }[] = [];
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Exported, but not declared, so that it may go some day.
  const { nativeAddon } = lmdb as unknown as { nativeAddon?: { Env: { prototype: { path?: string } } } };
  const prototype = nativeAddon?.Env.prototype ?? {};
  Object.defineProperty(prototype, "path", {
    configurable: true,
    set(this: { close(): void }, value: string) {
      opened.push(this);
      Object.defineProperty(this, "path", { value, writable: true, configurable: true });
    },
  });
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Its type has a method `new` where it means a constructor.
    return lmdb.openAsClass<Buffer, number | string>(options) as unknown as Constructor;
  } catch (error) {
    opened[0]?.close();
    throw error;
  } finally {
    delete prototype.path;
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
      if (!isLeft) throw error;
      if (attempts === mostAttempts) throw new NotBegun("LMDB could not open its file", { cause: error });
      // Those that met each other there must not do so again.
      await sleep(clock, Math.random() * attempts);
    }
  }
}
