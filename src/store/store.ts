/**
 * The store port: all that a database must be able to do to carry locks.
 *
 * A store applies small multi-key compare-and-swaps atomically and durably. It knows nothing of locks: keys are opaque
 * strings, values are JSON. `test/conformance` holds one case for every line of this contract.
 */

export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [name: string]: Json | undefined };

/** Milliseconds since the Unix epoch on the store's clock, with fractions. Never goes back within one store. */
export type StoreTime = number;

/** One stored value and the revision of the change that wrote it. Never modified after it was handed over. */
export interface Entry {
  readonly key: string;
  readonly revision: number;
  readonly value: Json;
}

/** The entries whose key begins with `prefix`, in the byte order of their UTF-8 keys; a page when `limit` is given. */
export interface Range {
  readonly prefix: string;
  /** Only keys greater than this one (which need not exist). */
  readonly after?: string;
  readonly limit?: number;
}

/**
 * What must hold for a change to be applied: a key stands at a revision (0: absent), or nothing in a range was written
 * after the revision of the `read` that returned the whole range. A removal in the range need not be noticed.
 */
export type Expectation =
  | { readonly key: string; readonly revision: number }
  | { readonly range: Range; readonly unchangedSince: number };

/** Applied whole or not at all. A key is put or removed, never both, and at most once. */
export interface Change {
  readonly expect: readonly Expectation[];
  readonly put: readonly { readonly key: string; readonly value: Json }[];
  /** Removing what is not there is no failure. */
  readonly remove: readonly string[];
  /** Texts for the subscribers' hints, sent when the change is applied. Each has at most 2,800 bytes and no line break. */
  readonly announce: readonly string[];
  /** Not applied once store time is past this. Checked against store time inside the commit. */
  readonly notAfter?: StoreTime;
}

export type Outcome =
  /** `revision` is that of every entry the change put: a safe integer, larger than any of an earlier commit. */
  | { readonly applied: true; readonly revision: number }
  /**
   * `found` has, in the order expected, what stands at each key the change expected by key (`undefined`: absent).
   * `late`: store time was past `notAfter`, whatever was found.
   */
  | { readonly applied: false; readonly late: boolean; readonly found: readonly (Entry | undefined)[] };

export interface CommitReply {
  /** In the order of the changes. */
  readonly outcomes: readonly Outcome[];
  /** Store time at some moment between the request's arrival and the reply. */
  readonly storeTime: StoreTime;
}

export interface ReadReply {
  /** In the order of the keys asked for; `undefined`: absent. */
  readonly entries: readonly (Entry | undefined)[];
  /** In the order of the ranges asked for. */
  readonly ranges: readonly (readonly Entry[])[];
  /** The snapshot's revision: that of the last commit it includes. 0 while nothing was ever committed. */
  readonly revision: number;
  readonly storeTime: StoreTime;
}

export interface Query {
  readonly keys?: readonly string[];
  readonly ranges?: readonly Range[];
}

export interface StoreTraits {
  /** The URL scheme, for messages: `memory`, `file`, … */
  readonly name: string;
  /** An acknowledged commit survives a crash of every process and of the machine. */
  readonly durable: boolean;
  /** Whose managers may share the store. */
  readonly sharedBy: "process" | "machine" | "network";
  /** `efficiency`: the store can lose acknowledged locks (asynchronous replication), though tokens still rise. */
  readonly promise: "correctness" | "efficiency";
  /** The most keys (expected, put or removed) that one change may name. */
  readonly maxKeysPerChange: number;
  /**
   * How far store time may be, either way, from what a reply says, in milliseconds: half of what the clocks behind it may differ. Left out where
   * there is one clock.
   */
  readonly clockUncertaintyMs?: number;
  /**
   * How many commits of one manager may be under way. Left out: one at a time. More are for a store that takes them as they come; where each
   * waits for the one before it, they would only be smaller.
   */
  readonly commitsUnderWay?: number;
}

/** `revision`: of the commit; 0 when it is not known. */
export type HintListener = (texts: readonly string[], revision: number) => void;

export interface Subscription {
  /** Idempotent. No call of the listener begins after it resolved. */
  close(): Promise<void>;
}

export interface StoreOptions {
  /** Gives up waiting. A commit that was already sent may still be applied: it rejects with `outcome: "unknown"`. */
  readonly signal?: AbortSignal;
}

/**
 * Failures are `StoreError`s; anything else thrown counts as outcome unknown, worth another try.
 *
 * - The changes of one commit are independent: none expects, by key or range, what another writes. The caller sees to it.
 * - Revisions strictly increase from commit to commit and never reset: where the store can choose, a commit's revision is
 *   `max(last + 1, store time in microseconds)`, so tokens rise even after data was lost. Past `Number.MAX_SAFE_INTEGER` a
 *   commit is refused, never rounded. Changes of one commit may share a revision.
 */
export interface Store {
  readonly traits: StoreTraits;
  /** Applies each change whose expectations hold, and of the others nothing. Resolves when all of it is durable. */
  commit(changes: readonly Change[], options?: StoreOptions): Promise<CommitReply>;
  /** One consistent snapshot of the named keys and ranges; includes every commit acknowledged before the call. */
  read(query: Query, options?: StoreOptions): Promise<ReadReply>;
  /**
   * Hints: what other changes announce, and the revision of their commit. They may be lost, late or repeated: only speed depends on them, never
   * correctness.
   */
  subscribe(listener: HintListener): Promise<Subscription>;
  /** Idempotent. Later calls of the others reject with a `StoreError`, outcome `none`, not retryable. */
  close(): Promise<void>;
}

/** Why a store could not do what it was asked. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  /** `none`: surely nothing of the commit was applied. `unknown`: it may have been. A failed read is always `none`. */
  readonly outcome: "none" | "unknown";
  /** False when another try cannot help (closed, corrupt, of another version). */
  readonly retryable: boolean;

  constructor(
    message: string,
    fate: { readonly outcome: "none" | "unknown"; readonly retryable: boolean; readonly cause?: unknown },
  ) {
    super(message, { cause: fate.cause });
    this.outcome = fate.outcome;
    this.retryable = fate.retryable;
  }
}
