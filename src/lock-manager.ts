/** The lock manager as callers see it: the same interface in process and over the wire. */
import type { CallSignal } from "./aborts.js";
import type { Conflict } from "./errors.js";

export type { CallSignal };

/** Milliseconds as a number, or text such as `"250ms"`, `"30s"`, `"10m"`, `"1h30m"`. */
export type Duration = number | string;

/** `exclusive`: nobody else beside me. `shared`: other shared locks beside me, no exclusive one. */
export type Mode = "exclusive" | "shared";

/** `resource`: just that path. `tree`: the path and everything below it. */
export type Scope = "resource" | "tree";

/** A lock as it stood when it was looked at. */
export interface Lock {
  /** Names the lock together with its path; unique. */
  readonly lockId: string;
  /** Normalised: NFC, one leading slash, no trailing one. */
  readonly resourcePath: string;
  readonly agentId: string;
  readonly mode: Mode;
  readonly scope: Scope;
  /** A later conflicting lock always has a larger one. Hand it to whatever the lock protects, so that it can refuse a smaller one. */
  readonly fencingToken: number;
  /** Store time. */
  readonly acquiredAt: Date;
  /** Store time. */
  readonly expiresAt: Date;
  /** The ttl of the latest acquire or extension, in milliseconds. */
  readonly ttlMs: number;
  readonly reason?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** What an acquire returns: the lock, and what its holder can do with it. `expiresAt` and `ttlMs` follow its extensions. */
export interface AcquiredLock extends Lock, AsyncDisposable {
  /** Aborts when the lock is lost, with a `LockError` of code `lost` that says how; also when it is released. */
  readonly signal: AbortSignal;
  /** Sets the expiry to exactly now + `ttl` (default: the ttl it has). Rejects as `extendLock` does. */
  extend(ttl?: Duration): Promise<Lock>;
  /** Gives the lock back once the last handle on it is released. False when it was no longer in force. */
  release(): Promise<boolean>;
}

/** A claim in the queue. */
export interface Waiter {
  readonly lockId: string;
  readonly resourcePath: string;
  readonly agentId: string;
  readonly mode: Mode;
  readonly scope: Scope;
  /** Since when, in store time. */
  readonly since: Date;
  /** When it gives up; absent when it waits for ever. */
  readonly until?: Date;
  readonly reason?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Every call can be aborted; it then rejects with code `aborted`, and the signal's reason as cause. */
export interface CallOptions {
  readonly signal?: AbortSignal;
}

export interface AcquireOptions {
  /** Aborting it leaves the queue. The call then rejects with code `aborted`, and the signal's reason as cause. */
  readonly signal?: CallSignal;
  /** How long the lock lives unless extended. Default: the policy of the resource type, else `defaultTtl`. */
  readonly ttl?: Duration;
  /** How long to wait: 0 tries once, `Infinity` waits for ever. Default `acquisitionTimeout`. The basic manager takes none. */
  readonly timeout?: Duration;
  /** Default `exclusive`. */
  readonly mode?: Mode;
  /** Default `resource`. */
  readonly scope?: Scope;
  /** For the people and agents who find the resource held; at most 200 characters. */
  readonly reason?: string;
  /** Strings by name, at most 1 KiB together. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Extends at a third of the ttl until released or lost. Default false; true within `withLock`. */
  readonly autoExtend?: boolean;
}

export interface ListFilter extends CallOptions {
  /** This path and everything below it. */
  readonly prefix?: string;
  readonly agentId?: string;
  readonly resourceType?: string;
  readonly mode?: Mode;
  /** Only locks that expire within this time. */
  readonly expiringWithin?: Duration;
  /** How many locks a page holds at most, 1 to 1000, default 1000. */
  readonly limit?: number;
  /** `nextCursor` of the page before, whose filter was the same. */
  readonly cursor?: string;
}

export interface LockPage {
  /** In byte order of their paths; those of one path in the order of their grants. */
  readonly locks: readonly Lock[];
  /** Absent on the last page. Opaque. A page may hold fewer locks than its limit, even none, and still not be the last. */
  readonly nextCursor?: string;
}

export interface ResourceState {
  readonly resourcePath: string;
  /** Locks in force on this very path; several only when shared. */
  readonly holders: readonly Lock[];
  /** In the order of the queue; at most 100. */
  readonly waiters: readonly Waiter[];
  /** How many wait, also beyond those shown. */
  readonly queueLength: number;
  /** Locks in force elsewhere that cover this path: trees above it. */
  readonly coveredBy: readonly Lock[];
}

export interface AgentState {
  readonly agentId: string;
  readonly locks: readonly Lock[];
  readonly waiting: readonly Waiter[];
  /** The most locks it may hold. */
  readonly limit: number;
}

export interface CheckResult {
  /** Held by the agent asked about. */
  readonly mine: readonly Lock[];
  /** An exclusive acquire of the path would not be granted at once, and why. */
  readonly theirs: readonly { readonly resourcePath: string; readonly conflicts: readonly Conflict[] }[];
  /** An exclusive acquire of the path would be granted at once. */
  readonly free: readonly string[];
}

export interface LockStats {
  /** Locks in force. */
  readonly locks: number;
  readonly waiters: number;
  /** Agents that hold or wait. */
  readonly agents: number;
  /** When the wait of the longest waiter began. */
  readonly oldestWaiterSince?: Date;
}

export interface ForceReleaseOptions extends CallOptions {
  /** Why; the holder is told. At most 200 characters. */
  readonly reason: string;
  /** Which lock; default all on the path. */
  readonly lockId?: string;
  /** Who orders it, for the record. */
  readonly by?: string;
}

/**
 * `acquired`, `extended`, `released`: by the agent. `expired`, `revoked`: ended by time, by an operator. `lost`: a holder of this
 * manager was told. `contended`: an acquire found the resource taken, once each. `queued`, `dequeued`: entered the queue, left it
 * without a lock. `refused`: an acquire ended without a lock. `failed`: another call was refused or failed.
 */
export type LockEventType =
  | "acquired"
  | "extended"
  | "released"
  | "expired"
  | "revoked"
  | "lost"
  | "contended"
  | "queued"
  | "dequeued"
  | "refused"
  | "failed"
  | "reset";

/** Something that happened, told once, by the manager whose commit did it. */
export interface LockEvent {
  /** Rises strictly within one manager's life. */
  readonly id: number;
  /** `reset`: events are missing before this one, because the reader was too slow. */
  readonly type: LockEventType;
  /** Store time. */
  readonly at: Date;
  readonly resourcePath: string;
  readonly resourceType: string;
  readonly lockId?: string;
  readonly agentId?: string;
  readonly mode?: Mode;
  readonly scope?: Scope;
  readonly reason?: string;
  readonly fencingToken?: number;
  /** `acquired`, `refused`: how long the acquire took, in milliseconds. */
  readonly waitedMs?: number;
  /** `released`, `expired`, `revoked`: how long the lock was held, in milliseconds. */
  readonly heldMs?: number;
  readonly expiresAt?: Date;
  /** Why: an error code, or for `expired` who noticed (`timer`, `takeover`, `sweep`), for `lost` how. */
  readonly cause?: string;
  /** `refused`, `failed`: which call. */
  readonly call?: "acquire" | "release" | "extend";
  /** `revoked`: who ordered it. */
  readonly by?: string;
}

export interface EventFilter extends CallOptions {
  /** This path and everything below it. */
  readonly prefix?: string;
  readonly types?: readonly LockEventType[];
  /**
   * The id of the last event that was seen: a manager over the wire goes on behind it, or begins with a `reset` when the server does not
   * remember it any more. A manager in process remembers no events, and refuses it as `invalid`.
   */
  readonly since?: number;
}

/**
 * Locks for agents. Every method rejects with a `LockError`: `invalid` for bad input (nothing was changed), `closed` after
 * `close()`, `aborted` for an aborted signal, `store_unavailable` or `outcome_unknown` when the store failed.
 */
export interface LockManager {
  /**
   * Takes a lock, waiting up to the timeout in the order of arrival. The same agent on the same path again gets the same lock, its expiry
   * pushed to at least now + ttl.
   *
   * @throws LockError `held`, `limit_exceeded`, `deadlock`; `invalid` also for a second mode or scope on a path the agent already holds.
   */
  acquireLock(resourcePath: string, agentId: string, options?: AcquireOptions): Promise<AcquiredLock>;
  /** Takes all of the paths at one moment or none, without deadlock; at most 50. Answers in the order asked, duplicates once. */
  acquireMultipleLocks(
    resourcePaths: readonly string[],
    agentId: string,
    options?: AcquireOptions,
  ): Promise<AcquiredLock[]>;
  /**
   * Ends the lock at once, for all its handles. False when nothing is in force under that id on that path.
   *
   * @throws LockError `not_holder` when it is another agent's.
   */
  releaseLock(resourcePath: string, agentId: string, lockId: string, options?: CallOptions): Promise<boolean>;
  /**
   * Sets the expiry to exactly now + `ttl` (default: the ttl it has).
   *
   * @throws LockError `lost` when nothing is in force under that id on that path, `not_holder` when it is another agent's.
   */
  extendLock(
    resourcePath: string,
    agentId: string,
    lockId: string,
    ttl?: Duration,
    options?: CallOptions,
  ): Promise<Lock>;
  /**
   * Runs `work` under a lock, extending it meanwhile, and releases it whatever happens. Pass `lock.signal` on: it aborts when the
   * lock is lost. Rejects with `lost` when the lock was lost and the work did not reject by itself.
   */
  withLock<T>(
    resourcePath: string,
    agentId: string,
    options: AcquireOptions,
    work: (lock: AcquiredLock) => T | Promise<T>,
  ): Promise<T>;
  /** The lock in force on this very path; of several shared ones the oldest. */
  getLock(resourcePath: string, options?: CallOptions): Promise<Lock | undefined>;
  /** Holders and queue of one path. */
  getResource(resourcePath: string, options?: CallOptions): Promise<ResourceState>;
  listLocks(filter?: ListFilter): Promise<LockPage>;
  getAgentLocks(agentId: string, options?: CallOptions): Promise<readonly Lock[]>;
  getAgent(agentId: string, options?: CallOptions): Promise<AgentState>;
  /** Locks in force. */
  getLockCount(options?: CallOptions): Promise<number>;
  getStats(options?: CallOptions): Promise<LockStats>;
  /** Sorts up to 200 paths into mine, theirs and free, from one snapshot. Never queues. */
  checkLocks(resourcePaths: readonly string[], agentId: string, options?: CallOptions): Promise<CheckResult>;
  /** Ends the locks on this very path whoever holds them, and says which; their holders are told. */
  forceRelease(resourcePath: string, options: ForceReleaseOptions): Promise<readonly Lock[]>;
  /** What happens from now on. The iterator ends with the signal, with `return()`, and when the manager closes. */
  events(filter?: EventFilter): AsyncIterableIterator<LockEvent>;
  /** Prometheus text exposition. */
  metrics(): Promise<string>;
  /** Store time as this manager knows it; what expiries are to be compared with. */
  currentTime(): Date;
  /**
   * Stops waiting and background work; waiting calls reject with `closed`. Locks stay in the store until their expiry;
   * `release: true` gives back what this manager acquired. Idempotent.
   */
  close(options?: { readonly release?: boolean }): Promise<void>;
}
