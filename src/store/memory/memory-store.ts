/** The store of one process: everything in memory, gone with the process. */
import type { Clock } from "../../clock/clock.js";
import { systemClock } from "../../clock/system-clock.js";
import { gaveUp } from "../gave-up.js";
import { Listeners } from "../listeners.js";
import {
  type Change,
  type CommitReply,
  type HintListener,
  type Outcome,
  type Query,
  type ReadReply,
  type Store,
  StoreError,
  type StoreOptions,
  type StoreTime,
  type StoreTraits,
  type Subscription,
} from "../store.js";
import { revisionAfter, Table } from "../table.js";

export interface MemoryStoreOptions {
  readonly clock?: Clock;
}

/** Values are kept and returned as they are, never copied: whoever hands one over does not modify it any more. */
export function openMemoryStore(options: MemoryStoreOptions = {}): Store {
  return new MemoryStore(options.clock ?? systemClock);
}

class MemoryStore implements Store {
  readonly traits: StoreTraits = {
    name: "memory",
    durable: false,
    sharedBy: "process",
    promise: "correctness",
    maxKeysPerChange: 10_000,
  };

  readonly #clock: Clock;
  /** What the monotonic clock lacks to the wall clock of the opening. A wall clock that steps later changes nothing. */
  readonly #anchor: number;
  readonly #table = new Table();
  readonly #listeners = new Listeners();
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#anchor = clock.now() - clock.monotonic();
  }

  async commit(changes: readonly Change[], options?: StoreOptions): Promise<CommitReply> {
    this.#requireOpen(options?.signal);
    const storeTime = this.#storeTime();
    const revision = revisionAfter(this.#table.revision, storeTime);
    const applied: Outcome = { applied: true, revision };
    const announced: string[] | undefined = this.#listeners.any ? [] : undefined;
    const outcomes: Outcome[] = [];
    for (const change of changes) {
      const refusal = this.#table.refuse(change, storeTime);
      if (refusal === undefined) {
        this.#table.apply(change, revision);
        if (announced !== undefined) for (const text of change.announce) announced.push(text);
      }
      outcomes.push(refusal ?? applied);
    }
    if (announced !== undefined) this.#listeners.tell(announced, revision);
    return { outcomes, storeTime };
  }

  async read(query: Query, options?: StoreOptions): Promise<ReadReply> {
    this.#requireOpen(options?.signal);
    return {
      entries: (query.keys ?? []).map((key) => this.#table.get(key)),
      ranges: (query.ranges ?? []).map((range) => this.#table.range(range)),
      revision: this.#table.revision,
      storeTime: this.#storeTime(),
    };
  }

  async subscribe(listener: HintListener): Promise<Subscription> {
    this.#requireOpen();
    return this.#listeners.add(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#listeners.clear();
  }

  #storeTime(): StoreTime {
    return this.#anchor + this.#clock.monotonic();
  }

  #requireOpen(signal?: AbortSignal): void {
    if (this.#closed) {
      throw new StoreError("The memory store is closed.", { outcome: "none", retryable: false });
    }
    if (signal?.aborted) throw gaveUp("the memory store", signal);
  }
}
