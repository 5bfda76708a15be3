/** The moves that begin, prolong and end a lock, with the book-keeping of its agent. Every transition is made of them. */

import { hasExpired } from "./blockers.js";
import type { Claim, Request } from "./claim.js";
import { aboutHolder } from "./happening.js";
import { agentKey, agentLockKey } from "./keys.js";
import type { Holder, LockRecord } from "./records.js";
import { countAgent, settled, type View } from "./view.js";

const nobody: LockRecord = { holders: [] };

/** A grant, with token 0 until its change has a revision. */
export interface Granted {
  readonly path: string;
  readonly holder: Holder;
}

/** The agent's own lock on exactly this path, unless it has surely expired. */
export function ownHolder(view: View, path: string, agentId: string): Holder | undefined {
  return view.lock(path)?.holders.find((holder) => holder.agentId === agentId && !hasExpired(view, holder));
}

/** Adds a holder, taking over from those that have expired. */
export function hold(view: View, request: Request, claim: Claim): Granted {
  const { path } = claim.resource;
  dropExpired(view, path, "takeover");
  const record = view.lock(path) ?? nobody;
  const holder: Holder = {
    lockId: claim.lockId,
    agentId: request.agentId,
    mode: request.mode,
    scope: request.scope,
    token: 0,
    acquiredAt: view.latest,
    expiresAt: view.latest + claim.ttlMs,
    ttlMs: claim.ttlMs,
    reason: request.reason,
    metadata: request.metadata,
  };
  const holders =
    record.holders.length === 0 ? [holder] : [...settled(record.holders, view.lockRevision(path)), holder];
  view.putLock(path, { holders, queue: record.queue });
  view.index(agentLockKey(agentKey(request.agentId), path), 1);
  countAgent(view, request.agentId, 1, 0);
  view.before(holder.expiresAt);
  view.tell(aboutHolder("acquired", path, holder, 0));
  return { path, holder };
}

/** Gives a lock another expiry. The change must arrive before the old one: a late extension revives nothing (invariant I11). */
export function prolong(view: View, path: string, holder: Holder, expiresAt: number, ttlMs: number): Granted {
  const revision = view.lockRevision(path);
  const next = rewrite(view, path, { ...holder, expiresAt, ttlMs });
  view.before(holder.expiresAt);
  // Whoever waits counts on the old expiry.
  if (expiresAt < holder.expiresAt) view.announce(path);
  view.tell(aboutHolder("extended", path, next, revision));
  return { path, holder: next };
}

/** Puts a holder in the place of the one with its lock id. */
export function rewrite(view: View, path: string, holder: Holder): Holder {
  const record = view.lock(path) ?? nobody;
  const revision = view.lockRevision(path);
  const next = holder.token === 0 ? { ...holder, token: revision } : holder;
  const holders = settled(record.holders, revision).map((one) => (one.lockId === holder.lockId ? next : one));
  view.putLock(path, { holders, queue: record.queue });
  return next;
}

/** Takes one holder out of its entry and its agent's books. */
export function drop(view: View, path: string, holder: Holder): void {
  const record = view.lock(path) ?? nobody;
  const holders =
    record.holders.length === 1
      ? nobody.holders
      : settled(
          record.holders.filter((one) => one.lockId !== holder.lockId),
          view.lockRevision(path),
        );
  view.putLock(path, { holders, queue: record.queue });
  view.unindex(agentLockKey(agentKey(holder.agentId), path));
  countAgent(view, holder.agentId, -1, 0);
}

/** Drops the holders that have surely expired, and says how many they were. */
export function dropExpired(view: View, path: string, cause: "timer" | "takeover" | "sweep"): number {
  const record = view.lock(path);
  if (record === undefined) return 0;
  const revision = view.lockRevision(path);
  let dropped = 0;
  for (const holder of record.holders) {
    if (!hasExpired(view, holder)) continue;
    drop(view, path, holder);
    // Its time ended at its expiry, however late that was noticed.
    view.tell(aboutHolder("expired", path, holder, revision, holder.expiresAt, cause));
    dropped++;
  }
  return dropped;
}
