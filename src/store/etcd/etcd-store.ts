/** The store on etcd 3.4 or later: one transaction for each commit, by gRPC. */
import type { Clock } from "../../clock/clock.js";
import { randomId } from "../../clock/random-id.js";
import { systemClock } from "../../clock/system-clock.js";
import { gaveUp } from "../gave-up.js";
import { Listeners } from "../listeners.js";
import {
  type Change,
  type CommitReply,
  type HintListener,
  type Query,
  type ReadReply,
  type Store,
  StoreError,
  type StoreOptions,
  type StoreTime,
  type StoreTraits,
  type Subscription,
} from "../store.js";
import { type EtcdAddress, parseAddress } from "./address.js";
import { Cluster } from "./cluster.js";
import { baseless, Commits, mostFootings } from "./commits.js";
import { FootingKeeper } from "./footing.js";
import { HintWatch } from "./hints.js";
import { Keyspace } from "./keyspace.js";
import { readSnapshot } from "./snapshot.js";
import { type Pages, reserved } from "./transactions.js";

export interface EtcdStoreOptions {
  readonly clock?: Clock;
}

type Work<Reply> = (signal: AbortSignal | undefined) => Promise<Reply>;

/** What is under way when the store is closed gets this long to end well. */
const closeGraceMs = 1_000;

/**
 * Opens the store in a namespace of a cluster.
 *
 * @throws LockError `invalid` when the URL is none of etcd's; StoreError when no member answers, or etcd refuses.
 */
export async function openEtcdStore(url: string, options: EtcdStoreOptions = {}): Promise<Store> {
  const store = new EtcdStore(parseAddress(url), options.clock ?? systemClock);
  try {
    await store.read({});
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

class EtcdStore implements Store {
  readonly traits: StoreTraits;
  readonly #clock: Clock;
  readonly #mostOperations: number;
  readonly #cluster: Cluster;
  readonly #keyspace: Keyspace;
  readonly #footing: FootingKeeper;
  readonly #listeners = new Listeners();
  readonly #hints: HintWatch;
  readonly #commits: Commits;
  readonly #pages: Pages = new WeakMap();
  readonly #calls = new Set<Promise<unknown>>();
  #lastTime = 0;
  #closed: Promise<void> | undefined;

  constructor(address: EtcdAddress, clock: Clock) {
    const clockUncertaintyMs = address.maxClockSkewMs / 2;
    this.traits = {
      name: "etcd",
      durable: true,
      sharedBy: "network",
      promise: "correctness",
      maxKeysPerChange: address.maxTxnOps - reserved,
      clockUncertaintyMs,
      commitsUnderWay: 2,
    };
    this.#clock = clock;
    this.#mostOperations = address.maxTxnOps;
    this.#cluster = new Cluster(address, clock);
    this.#keyspace = new Keyspace(address.namespace);
    this.#footing = new FootingKeeper(this.#cluster, this.#keyspace, clock, randomId());
    this.#hints = new HintWatch(this.#cluster, this.#keyspace, clock, (texts, heard) =>
      this.#listeners.tell(texts, this.#footing.ofHint(heard)),
    );
    this.#cluster.onTrouble = () => this.#hints.restart();
    this.#commits = new Commits({
      cluster: this.#cluster,
      keyspace: this.#keyspace,
      footing: this.#footing,
      pages: this.#pages,
      mostOperations: this.#mostOperations,
      storeTime: () => this.#storeTime(),
      clockUncertaintyMs,
    });
  }

  commit(changes: readonly Change[], options?: StoreOptions): Promise<CommitReply> {
    return this.#call(options?.signal, (signal) => this.#commits.commit(changes, signal));
  }

  read(query: Query, options?: StoreOptions): Promise<ReadReply> {
    return this.#call(options?.signal, (signal) => this.#read(query, signal));
  }

  async subscribe(listener: HintListener): Promise<Subscription> {
    this.#requireOpen(undefined);
    const subscription = this.#listeners.add(listener);
    await this.#hints.start();
    return subscription;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #read(query: Query, signal: AbortSignal | undefined): Promise<ReadReply> {
    const reading = {
      cluster: this.#cluster,
      keyspace: this.#keyspace,
      footing: this.#footing,
      pages: this.#pages,
      mostOperations: this.#mostOperations,
    };
    for (let tries = 1; tries <= mostFootings; tries++) {
      this.#commits.shutOutLate();
      const stand = await this.#footing.forRead(signal);
      // Of before the request was sent: a commit that fails while it is under way is not settled by its answer.
      const storeTime = this.#storeTime();
      const snapshot = await readSnapshot(reading, stand, query, signal);
      if (snapshot !== undefined) return { ...snapshot, storeTime };
      this.#footing.lost(stand);
    }
    throw baseless("none");
  }

  async #close(): Promise<void> {
    this.#listeners.clear();
    await this.#hints.close();
    await this.#quiet();
    await this.#footing.close();
    this.#cluster.close();
  }

  /** Resolves when nothing is under way any more, or the grace is over. */
  #quiet(): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(closeGraceMs, resolve);
      const end = (): void => {
        cancel();
        resolve();
      };
      Promise.allSettled(this.#calls).then(end, end);
    });
  }

  async #call<Reply>(given: AbortSignal | undefined, work: Work<Reply>): Promise<Reply> {
    this.#requireOpen(given);
    // A signal of the call's own: one that is used for many calls must not gather their listeners.
    const call = work(given === undefined ? undefined : AbortSignal.any([given]));
    this.#calls.add(call);
    try {
      return await call;
    } finally {
      this.#calls.delete(call);
    }
  }

  /** The clock of this machine, which is held where it is while it is set back. */
  #storeTime(): StoreTime {
    this.#lastTime = Math.max(this.#lastTime, this.#clock.now());
    return this.#lastTime;
  }

  #requireOpen(signal: AbortSignal | undefined): void {
    if (this.#closed !== undefined)
      throw new StoreError("The etcd store is closed.", { outcome: "none", retryable: false });
    if (signal?.aborted) throw gaveUp("the etcd store", signal);
  }
}
