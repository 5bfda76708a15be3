/**
 * What every transaction of a handle stands on: the namespace's base, and the handle's fence.
 *
 * The *base* is added to etcd's revisions, which begin at 1 again when the cluster is set up anew. It is the time at which the namespace was first used, in
 * microseconds; so revisions, and with them fencing tokens, rise also after all data was lost.
 *
 * The *fence* is a key of the handle's own whose revision every commit expects. etcd has no clock that could stop a late commit, so a commit
 * whose outcome is unknown is shut out instead: the fence is written anew, or removed, before the handle answers anything else.
 */
import type { Clock } from "../../clock/clock.js";
import { randomId } from "../../clock/random-id.js";
import { StoreError } from "../store.js";
import type { AskOptions, Cluster } from "./cluster.js";
import { parsed } from "./entries.js";
import type { Keyspace } from "./keyspace.js";
import {
  type KeyValue,
  put,
  range,
  rangeRequest,
  readRange,
  readTransaction,
  standsAt,
  type TransactionReply,
  transaction,
} from "./messages.js";
import { field, message } from "./protobuf.js";
import { EtcdRefusal, notFound } from "./refusals.js";
import { unlessAborted } from "./unless-aborted.js";

/** The fence of a handle that died is gone after this. One that is only idle gets a new one when it commits again. */
const leaseSeconds = 600;
const renewEveryMs = (leaseSeconds * 1000) / 3;
const format = 1;
/** More revisions than a cluster will ever have: about 35,000 a second for a thousand years. */
const mostRevisions = 2 ** 50;
const closeWithinMs = 1_000;

export interface Footing {
  readonly base: number;
  /** etcd's own revision of the key of the base. */
  readonly baseRevision: number;
  /** The highest revision that was seen before. */
  readonly seen: number;
  readonly fence?: Fence;
}

export interface Fence {
  readonly key: Buffer;
  readonly revision: number;
}

interface Base {
  readonly value: number;
  readonly revision: number;
}

interface Lease {
  /** Chosen by us: those that etcd chooses are no safe integers. */
  readonly id: number;
  renewedAt: number;
}

export class FootingKeeper {
  readonly #cluster: Cluster;
  readonly #keyspace: Keyspace;
  readonly #clock: Clock;
  readonly #fenceKey: Buffer;
  #base: Base | undefined;
  #fence: Fence | undefined;
  /** A commit of unknown outcome may still be applied while the fence stands as it was. */
  #doubtful = false;
  #lease: Lease | undefined;
  #step: Promise<void> | undefined;
  #seen = 0;
  #broken: StoreError | undefined;

  constructor(cluster: Cluster, keyspace: Keyspace, clock: Clock, id: string) {
    this.#cluster = cluster;
    this.#keyspace = keyspace;
    this.#clock = clock;
    this.#fenceKey = keyspace.fence(id);
  }

  /** For a read: no commit of unknown outcome can be applied any more once this has resolved. */
  async forRead(signal: AbortSignal | undefined): Promise<Footing> {
    for (;;) {
      if (this.#broken !== undefined) throw this.#broken;
      if (this.#base !== undefined && !this.#doubtful) return this.#footing(this.#base);
      await this.#advance(false, signal);
    }
  }

  /** For a commit: the same, with a fence. */
  async forCommit(signal: AbortSignal | undefined): Promise<Footing & { readonly fence: Fence }> {
    for (;;) {
      if (this.#broken !== undefined) throw this.#broken;
      if (this.#base !== undefined && this.#fence !== undefined) {
        this.#renew();
        return { ...this.#footing(this.#base), fence: this.#fence };
      }
      await this.#advance(true, signal);
    }
  }

  /**
   * Our revision for the one that etcd answered on this footing. `wrote`: it is that of a commit, and larger than any before.
   *
   * @throws StoreError when it is smaller than one that was seen before: then older data was put in the place of the newer.
   */
  count({ base, seen }: Footing, answered: number, wrote: boolean): number {
    const revision = base + answered;
    if (revision < seen + (wrote ? 1 : 0)) {
      this.#broken = new StoreError(
        `etcd's revision went back from ${seen - base} to ${answered}: its data was replaced by older data, and fencing tokens would repeat. ` +
          "Delete all keys of the namespace, and open the store again.",
        { outcome: wrote ? "unknown" : "none", retryable: false },
      );
      throw this.#broken;
    }
    this.#seen = Math.max(this.#seen, revision);
    return revision;
  }

  /** Our revision for the one that a hint came with; 0 while the base is not known. */
  ofHint(heard: number): number {
    return this.#base === undefined ? 0 : this.#base.value + heard;
  }

  /** A commit under this fence may still be applied. If the fence was changed since, it cannot. */
  doubt(fence: Fence): void {
    if (this.#fence !== fence) return;
    this.#fence = undefined;
    this.#doubtful = true;
  }

  /** etcd found base or fence other than in this footing, so nothing of the transaction was applied, nor of any other on the same footing. */
  lost({ baseRevision, fence }: Footing): void {
    if (this.#base?.revision === baseRevision) this.#base = undefined;
    if (this.#fence === fence) this.#fence = undefined;
  }

  /** Takes the fence away. */
  async close(): Promise<void> {
    if (this.#lease === undefined) return;
    try {
      await this.#ask("Lease/LeaseRevoke", message(field(1, this.#lease.id)), closeWithinMs);
    } catch (error) {
      // It lapses by itself.
      if (!(error instanceof StoreError)) throw error;
    }
  }

  /** One step for all who wait for it. */
  #advance(fenced: boolean, signal: AbortSignal | undefined): Promise<void> {
    this.#step ??= this.#next(fenced).finally(() => {
      this.#step = undefined;
    });
    return unlessAborted(this.#step, signal);
  }

  #footing(base: Base): Footing {
    return { base: base.value, baseRevision: base.revision, seen: this.#seen };
  }

  async #next(fenced: boolean): Promise<void> {
    try {
      if (this.#base === undefined) await this.#learnBase();
      else if (fenced) await this.#putFence(this.#base);
      else await this.#removeFence();
    } catch (error) {
      // Whatever became of the step, nothing was done of what waits for it.
      if (!(error instanceof StoreError) || error.outcome === "none") throw error;
      throw new StoreError(error.message, { outcome: "none", retryable: error.retryable, cause: error });
    }
  }

  /** Reads first: looking is possible also when the database is full. */
  async #learnBase(): Promise<void> {
    const [found] = readRange(await this.#ask("KV/Range", rangeRequest({ from: this.#keyspace.base })));
    this.#base = found === undefined ? await this.#makeBase() : baseOf(found);
  }

  async #makeBase(): Promise<Base> {
    const key = this.#keyspace.base;
    const base = Math.floor(this.#clock.now() * 1000);
    const made = await this.#transact(
      transaction(
        [standsAt(key, 0)],
        [put(key, JSON.stringify({ format, base }))],
        [range(rangeRequest({ from: key }))],
      ),
    );
    const [faster] = made.replies[0]?.kvs ?? [];
    return faster === undefined ? { value: base, revision: made.revision } : baseOf(faster);
  }

  async #putFence(base: Base): Promise<void> {
    const key = this.#fenceKey;
    const lease = await this.#leased();
    try {
      const { succeeded, revision } = await this.#transact(
        transaction([standsAt(this.#keyspace.base, base.revision)], [put(key, "", lease.id)]),
      );
      if (succeeded) {
        this.#fence = { key, revision };
        this.#doubtful = false;
      } else this.#base = undefined;
    } catch (error) {
      if (!(error instanceof EtcdRefusal) || error.code !== notFound) throw error;
      // It has lapsed: the next step is to get another one.
      this.#lease = undefined;
    }
  }

  /** Unlike a put this is also possible when the database is full. */
  async #removeFence(): Promise<void> {
    await this.#ask("KV/DeleteRange", message(field(1, this.#fenceKey)));
    this.#doubtful = false;
  }

  async #leased(): Promise<Lease> {
    if (this.#lease === undefined) {
      const lease = { id: Number.parseInt(randomId().slice(0, 12), 16), renewedAt: this.#clock.monotonic() };
      await this.#ask("Lease/LeaseGrant", message(field(1, leaseSeconds), field(2, lease.id)));
      this.#lease = lease;
    }
    return this.#lease;
  }

  /** Lets the lease live on, in the background. If that fails, the fence is found to be gone, and made anew. */
  #renew(): void {
    const lease = this.#lease;
    const now = this.#clock.monotonic();
    if (lease === undefined || now - lease.renewedAt < renewEveryMs) return;
    lease.renewedAt = now;
    this.#ask("Lease/LeaseKeepAlive", message(field(1, lease.id))).catch(() => {
      lease.renewedAt = -Infinity;
    });
  }

  async #transact(fields: readonly Buffer[]): Promise<TransactionReply> {
    return readTransaction(await this.#ask("KV/Txn", message(...fields)));
  }

  #ask(what: string, request: Buffer, timeLimitMs?: number): Promise<Buffer> {
    // All of these may be asked twice. A lease that nobody uses lapses.
    const options: AskOptions = { idempotent: true, ...(timeLimitMs !== undefined && { timeLimitMs }) };
    return this.#cluster.ask(`etcdserverpb.${what}`, request, options);
  }
}

function baseOf(kv: KeyValue): Base {
  return { value: checked(parseBase(kv.value)), revision: kv.modRevision };
}

function parseBase(value: Buffer): unknown {
  try {
    return parsed<unknown>(value);
  } catch {
    return value.toString();
  }
}

/** @throws StoreError when it is of another version of this adapter, or leaves no room for safe revisions. */
function checked(found: unknown): number {
  if (typeof found === "object" && found !== null && "format" in found && "base" in found) {
    const { base } = found;
    const isSafe = typeof base === "number" && base >= 0 && base <= Number.MAX_SAFE_INTEGER - mostRevisions;
    if (found.format === format && isSafe) return base;
  }
  throw new StoreError(
    `Cannot use this namespace in etcd: its base is ${JSON.stringify(found)}, not of format ${format}.`,
    { outcome: "none", retryable: false },
  );
}
