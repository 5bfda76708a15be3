/** What the entries of the store say. All of it is JSON; an entry with nothing in it is removed. */
import type { Mode, Scope } from "./claim.js";

/** A lock. Times are store time in milliseconds. */
export type Holder = {
  readonly lockId: string;
  readonly agentId: string;
  readonly mode: Mode;
  readonly scope: Scope;
  /** 0 says "the revision of the change that carries me"; whoever rewrites the entry writes the number. */
  readonly token: number;
  readonly acquiredAt: number;
  readonly expiresAt: number;
  readonly ttlMs: number;
  /**
   * Acquired again by another call of its agent, which relies on it even if the first one never learned that it had it: under which lock id that call
   * asked for it, or true when there were several.
   */
  readonly joined?: string | true | undefined;
  /** The call that it was granted to is over and does not rely on it. */
  readonly abandoned?: true | undefined;
  readonly reason?: string | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
};

/** Counters instead of the waiters themselves, so that a step costs the same behind ten waiters and behind ten thousand. */
export type Queue = {
  /** No waiter stands at a smaller number. */
  readonly head: number;
  /** The number the next waiter gets. */
  readonly next: number;
  readonly waiting: number;
  /** How many of them wait for the tree: only those matter to paths below. */
  readonly trees: number;
};

/** `lock/<path>` */
export type LockRecord = {
  readonly holders: readonly Holder[];
  readonly queue?: Queue | undefined;
};

/** `wait/<path>//<n>`. Never rewritten, so that its revision and `ordinal` are the ticket. */
export type WaitRecord = {
  readonly lockId: string;
  /** The same for all the waiters of one multi-acquire. */
  readonly requestId: string;
  /** How many paths the request is for. */
  readonly paths: number;
  readonly agentId: string;
  readonly managerId: string;
  readonly mode: Mode;
  readonly scope: Scope;
  readonly ttlMs: number;
  readonly since: number;
  /** When it gives up; null: never. */
  readonly until: number | null;
  /** Orders waiters that were queued by one change. */
  readonly ordinal: number;
  readonly reason?: string | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
};

/** `agent/<id>` */
export type AgentRecord = {
  /** How many `agent/<id>/lock/…` there are. Expired locks that nobody removed yet are among them. */
  readonly locks: number;
  /** How many `agent/<id>/wait/…` there are. */
  readonly waits: number;
};

/** `agent/<id>/wait/<lockId>`: where the waiter stands. */
export type AgentWaitRecord = {
  readonly path: string;
  readonly n: number;
  readonly requestId: string;
};

/** `manager/<id>`. Once past `expiresAt` it never revives. */
export type ManagerRecord = {
  readonly expiresAt: number;
};
