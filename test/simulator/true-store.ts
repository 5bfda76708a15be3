/** The one store of a simulation, as one process sees it: what is committed or read through it is known to the oracle. */
import type {
  Change,
  CommitReply,
  HintListener,
  Query,
  ReadReply,
  Store,
  StoreOptions,
  Subscription,
} from "../../src/store/store.js";

export interface Witness {
  committed(process: string, changes: readonly Change[], reply: CommitReply): void;
  wasRead(process: string, reply: ReadReply): void;
}

export class TrueStore implements Store {
  readonly traits;
  private readonly inner: Store;
  private readonly process: string;
  private readonly witness: Witness;

  constructor(inner: Store, process: string, witness: Witness) {
    this.inner = inner;
    this.traits = inner.traits;
    this.process = process;
    this.witness = witness;
  }

  async commit(changes: readonly Change[], options?: StoreOptions): Promise<CommitReply> {
    const reply = await this.inner.commit(changes, options);
    this.witness.committed(this.process, changes, reply);
    return reply;
  }

  async read(query: Query, options?: StoreOptions): Promise<ReadReply> {
    const reply = await this.inner.read(query, options);
    this.witness.wasRead(this.process, reply);
    return reply;
  }

  subscribe(listener: HintListener): Promise<Subscription> {
    return this.inner.subscribe(listener);
  }

  /** Others use it too. */
  async close(): Promise<void> {}
}
