/** The durable store of one machine: a folder that any number of its processes may have open. */
import { isMainThread } from "node:worker_threads";
import type { Clock } from "../../clock/clock.js";
import { systemClock } from "../../clock/system-clock.js";
import { gaveUp } from "../gave-up.js";
import {
  type Change,
  type CommitReply,
  type HintListener,
  type Query,
  type ReadReply,
  type Store,
  StoreError,
  type StoreOptions,
  type StoreTraits,
  type Subscription,
} from "../store.js";
import type { Database } from "./database.js";
import { refusal } from "./failures.js";
import { settleFolder } from "./folder.js";
import { type Lease, lease } from "./shared-databases.js";

export interface EmbeddedStoreOptions {
  readonly clock?: Clock;
}

/**
 * Opens the store in this folder, and makes it if there is none.
 *
 * Values are kept and returned as they are, never copied: whoever hands one over does not modify it any more. Rejects with a
 * `StoreError` that says what to do when the folder cannot be used, or what is in it is damaged, of another version, or not
 * a store. After a failed write to disk every process has to close the store and open it again.
 */
export async function openEmbeddedStore(
  directory: string,
  options: EmbeddedStoreOptions = {},
): Promise<Store> {
  // A thread that is terminated between two calls of LMDB's, as in a commit, stays there for ever with the lock that it has,
  // because the wrapper waits for the thread itself when it cleans up (env.cpp, `EnvWrap::cleanupStrayTxns`).
  if (!isMainThread) {
    throw refusal(
      directory,
      "a worker thread that is terminated while it commits would keep every process from committing. Open it in the main thread of a process, or reach a server from the worker",
    );
  }
  const folder = await settleFolder(directory);
  return new EmbeddedStore(folder, await lease(folder, options.clock ?? systemClock));
}

class EmbeddedStore implements Store {
  readonly traits: StoreTraits = {
    name: "file",
    durable: true,
    sharedBy: "machine",
    promise: "correctness",
    maxKeysPerChange: 10_000,
  };

  readonly #directory: string;
  readonly #lease: Lease;
  readonly #subscriptions = new Set<Subscription>();
  #closed: Promise<void> | undefined;

  constructor(directory: string, held: Lease) {
    this.#directory = directory;
    this.#lease = held;
  }

  async commit(changes: readonly Change[], options?: StoreOptions): Promise<CommitReply> {
    return this.#database(options?.signal).commit(changes);
  }

  async read(query: Query, options?: StoreOptions): Promise<ReadReply> {
    return this.#database(options?.signal).read(query);
  }

  async subscribe(listener: HintListener): Promise<Subscription> {
    const database = this.#database();
    database.listen();
    const subscription = database.listeners.add(listener);
    this.#subscriptions.add(subscription);
    return {
      close: async () => {
        this.#subscriptions.delete(subscription);
        await subscription.close();
      },
    };
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    for (const subscription of this.#subscriptions) await subscription.close();
    await this.#lease.giveBack();
  }

  #database(signal?: AbortSignal): Database {
    if (this.#closed !== undefined) {
      throw new StoreError(`The embedded store in "${this.#directory}" is closed.`, {
        outcome: "none",
        retryable: false,
      });
    }
    if (signal?.aborted) throw gaveUp(`the embedded store in "${this.#directory}"`, signal);
    return this.#lease.database;
  }
}
