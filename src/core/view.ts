/**
 * The view: what a plan may look at and what it changes.
 *
 * A plan runs over what is known. What the view does not know it takes for absent and notes: every key looked at becomes an expectation of the
 * change, so a wrong guess applies nothing, and a plan that looked at an unread range is not carried out but made again once the range was read.
 */
import type { Happening } from "./happening.js";
import type {
  AgentRecord,
  AgentWaitRecord,
  Holder,
  LockRecord,
  ManagerRecord,
  WaitRecord,
} from "./records.js";

export type Value =
  | null
  | boolean
  | number
  | string
  | readonly Value[]
  | { readonly [name: string]: Value | undefined };

export interface Found {
  readonly key: string;
  readonly revision: number;
  readonly value: Value;
}

/**
 * Entries of locks and of agents are named by path and by agent, because every plan looks at them several times; all others by their keys.
 */
export interface View {
  /** Store time is no earlier and no later than this. What has expired at `earliest` has expired; what has not at `latest` has not. */
  readonly earliest: number;
  readonly latest: number;
  /** The manager that plans. */
  readonly managerId: string;
  /** Orders the waiters that one change queues. */
  readonly ordinal: number;
  /** The lock entry of a path with what this change puts; `undefined`: absent. */
  lock(path: string): LockRecord | undefined;
  /** Revision of that entry; 0 when it is absent or put by this change. */
  lockRevision(path: string): number;
  /** A record with nothing in it removes the entry. */
  putLock(path: string, record: LockRecord): void;
  /** The counters of an agent; all 0 when it has no entry. */
  agent(agentId: string): AgentRecord;
  /** Counters that are all 0 remove the entry. */
  putAgent(agentId: string, record: AgentRecord): void;
  /** Puts an entry that is never looked at by its key, only found in a range. */
  index(key: string, value: Value): void;
  unindex(key: string): void;
  /** The value with what this change puts; `undefined`: absent. */
  get(key: string): Value | undefined;
  /** Revision of the entry; 0 when it is absent or put by this change. */
  revision(key: string): number;
  /** False when `get` would only guess. Notes nothing. */
  knows(key: string): boolean;
  /** A page of the entries with this prefix, in byte order, after a key. What this change puts is not among them. */
  range(prefix: string, limit?: number, after?: string): readonly Found[];
  /** The change no longer expects the ranges read so far to be unchanged. */
  forgetRanges(): void;
  put(key: string, value: Value): void;
  remove(key: string): void;
  /** Hardly a plan will look at this key again: that nothing is there need not be kept in mind. */
  leaveBehind(key: string): void;
  /** Tells other managers that waiters at, above or below the path may have their turn. */
  announce(path: string): void;
  /** The change must not be applied once store time is past this. */
  before(time: number): void;
  /** To be told once the change is committed. */
  tell(happening: Happening): void;
}

/* The entries are written by this code alone, under the format version that the store checks; hence the unchecked casts below. */
/* oxlint-disable typescript/no-unsafe-type-assertion */

export function waiterAt(view: View, key: string): WaitRecord | undefined {
  return view.get(key) as WaitRecord | undefined;
}

export function managerAt(view: View, key: string): ManagerRecord | undefined {
  return view.get(key) as ManagerRecord | undefined;
}

export function asLock(found: Found): LockRecord {
  return found.value as unknown as LockRecord;
}

export function asWaiter(found: Found): WaitRecord {
  return found.value as unknown as WaitRecord;
}

export function asAgentWait(found: Found): AgentWaitRecord {
  return found.value as unknown as AgentWaitRecord;
}

export function asManager(found: Found): ManagerRecord {
  return found.value as unknown as ManagerRecord;
}

/* oxlint-enable typescript/no-unsafe-type-assertion */

/** The holders with their tokens written out, as whoever rewrites the entry must. */
export function settled(holders: readonly Holder[], revision: number): readonly Holder[] {
  if (revision === 0) return holders;
  return holders.some((holder) => holder.token === 0)
    ? holders.map((holder) => (holder.token === 0 ? { ...holder, token: revision } : holder))
    : holders;
}

/** Changes an agent's counters. They never go below nothing, whatever an entry that was only guessed says. */
export function countAgent(view: View, agentId: string, locks: number, waits: number): void {
  const record = view.agent(agentId);
  view.putAgent(agentId, {
    locks: Math.max(record.locks + locks, 0),
    waits: Math.max(record.waits + waits, 0),
  });
}
