/** A store that counts what is asked of it. */
import type {
  Change,
  CommitReply,
  HintListener,
  Query,
  ReadReply,
  Store,
  StoreOptions,
  StoreTraits,
  Subscription,
} from "../../src/store/store.js";

export class CountingStore implements Store {
  readonly traits: StoreTraits;
  commits = 0;
  reads = 0;
  changes = 0;
  applied = 0;
  entriesRead = 0;
  readonly #inner: Store;

  constructor(inner: Store) {
    this.#inner = inner;
    this.traits = inner.traits;
  }

  get operations(): number {
    return this.commits + this.reads;
  }

  async commit(changes: readonly Change[], options?: StoreOptions): Promise<CommitReply> {
    this.commits++;
    this.changes += changes.length;
    const reply = await this.#inner.commit(changes, options);
    this.applied += reply.outcomes.filter((outcome) => outcome.applied).length;
    return reply;
  }

  async read(query: Query, options?: StoreOptions): Promise<ReadReply> {
    this.reads++;
    const reply = await this.#inner.read(query, options);
    this.entriesRead += reply.entries.length + reply.ranges.flat().length;
    return reply;
  }

  subscribe(listener: HintListener): Promise<Subscription> {
    return this.#inner.subscribe(listener);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}
