/** Locks and waiters as they truly are, and what one commit did to them. */
import type { Region } from "./region.js";

export interface TrueLock extends Region {
  readonly lockId: string;
  readonly token: number;
  readonly acquiredAt: number;
  /** Those it had, the latest last. */
  readonly expiries: number[];
  expiresAt: number;
  ttlMs: number;
  /** The process whose commit set the expiry. */
  setBy: string;
  /** Virtual time at which the expiry was set. */
  setAt: number;
  /** Acquired again by another call of its agent. */
  isJoined: boolean;
  /** The revision that ended it. */
  endedAt: number | undefined;
  /** Whether it was in force when it ended. */
  endedInForce: boolean;
}

export interface TrueWaiter extends Region {
  readonly n: number;
  readonly lockId: string;
  readonly requestId: string;
  readonly managerId: string;
  readonly paths: number;
  readonly until: number | null;
  /** Ticket: revision, then ordinal. */
  readonly since: number;
  readonly ordinal: number;
  endedAt: number | undefined;
}

/** What one commit did. */
export interface Deed {
  readonly revision: number;
  readonly storeTime: number;
  readonly process: string;
  readonly granted: TrueLock[];
  readonly ended: TrueLock[];
  readonly extended: { readonly lock: TrueLock; readonly from: number }[];
  readonly queued: TrueWaiter[];
  readonly left: TrueWaiter[];
  /** Paths and agents whose books it touched. */
  readonly paths: Set<string>;
  readonly agents: Set<string>;
  readonly errors: string[];
}

export function emptyDeed(revision: number, storeTime: number, process: string): Deed {
  return {
    revision,
    storeTime,
    process,
    granted: [],
    ended: [],
    extended: [],
    queued: [],
    left: [],
    paths: new Set<string>(),
    agents: new Set<string>(),
    errors: [],
  };
}

export function comesBefore(
  a: Pick<TrueWaiter, "since" | "ordinal" | "requestId">,
  b: Pick<TrueWaiter, "since" | "ordinal" | "requestId">,
): boolean {
  if (a.since !== b.since) return a.since < b.since;
  if (a.ordinal !== b.ordinal) return a.ordinal < b.ordinal;
  return a.requestId < b.requestId;
}
