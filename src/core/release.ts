/** Ending and prolonging locks: by their holder, by an operator, by time. */
import { hasExpired } from "./blockers.js";
import { aboutHolder } from "./happening.js";
import { drop, dropExpired, type Granted, prolong } from "./holding.js";

import { dropDead, type Promoted, promoteHead } from "./queue.js";
import type { Holder } from "./records.js";
import type { ResourcePath } from "./resource-path.js";
import { settled, type View } from "./view.js";

/** Names a lock: its path, its agent and its id must all match (invariant I12). */
export interface LockName {
  readonly resource: ResourcePath;
  readonly agentId: string;
  readonly lockId: string;
}

export type ReleaseReply =
  | { readonly kind: "released"; readonly holder: Holder; readonly promoted: readonly Promoted[] }
  /** Nothing in force under that id on that path. */
  | { readonly kind: "none" }
  | { readonly kind: "not holder"; readonly holder: Holder };

/**
 * Ends a lock and lets the next waiter have it in the same change where that is possible.
 *
 * @param maxLocks the limit for whoever is served; `undefined` to serve nobody but tell all, which expects the least of the store.
 */
export function release(view: View, name: LockName, maxLocks: number | undefined): ReleaseReply {
  const { path } = name.resource;
  const holder = findLock(view, name);
  if (holder === undefined) return { kind: "none" };
  if (holder.agentId !== name.agentId) return { kind: "not holder", holder };
  const revision = view.lockRevision(path);
  drop(view, path, holder);
  view.tell(aboutHolder("released", path, holder, revision, view.latest));
  const promoted = handOn(view, name.resource, holder.scope === "tree", maxLocks);
  return { kind: "released", holder, promoted };
}

export type ExtendReply =
  | { readonly kind: "extended"; readonly granted: Granted }
  | { readonly kind: "lost"; readonly expiredAt?: number }
  | { readonly kind: "not holder"; readonly holder: Holder };

/** Sets the expiry to exactly now + ttl, when the lock is in force. */
export function extend(view: View, name: LockName, ttlMs: number | undefined): ExtendReply {
  const { path } = name.resource;
  const holder = view.lock(path)?.holders.find((one) => one.lockId === name.lockId);
  if (holder === undefined) return { kind: "lost" };
  if (hasExpired(view, holder)) return { kind: "lost", expiredAt: holder.expiresAt };
  if (holder.agentId !== name.agentId) return { kind: "not holder", holder };
  const ms = ttlMs ?? holder.ttlMs;
  return { kind: "extended", granted: prolong(view, path, holder, view.latest + ms, ms) };
}

export interface RevokeReply {
  readonly revoked: readonly Granted[];
  readonly promoted: readonly Promoted[];
}

/** Ends the locks on a path, or the one with that id, whoever holds them. */
export function revoke(
  view: View,
  resource: ResourcePath,
  order: { readonly lockId?: string | undefined; readonly reason: string; readonly by?: string | undefined },
  maxLocks: number,
): RevokeReply {
  const { path } = resource;
  const revision = view.lockRevision(path);
  const holders = settled(view.lock(path)?.holders ?? [], revision).filter(
    (holder) =>
      (order.lockId === undefined || holder.lockId === order.lockId) &&
      !hasExpired(view, holder) &&
      // One granted by this very change stays: its successor would get the same token (invariant I2).
      holder.token !== 0,
  );
  for (const holder of holders) {
    drop(view, path, holder);
    view.tell(aboutHolder("revoked", path, holder, revision, view.latest, order.reason, order.by));
  }
  if (holders.length === 0) return { revoked: [], promoted: [] };
  // The holders live in any manager, and learn of it by this hint; so does whoever waits below a tree.
  view.announce(path);
  return {
    revoked: holders.map((holder) => ({ path, holder })),
    promoted: handOn(view, resource, false, maxLocks),
  };
}

export interface ExpireReply {
  readonly expired: number;
  readonly abandoned: number;
  readonly promoted: readonly Promoted[];
}

/** Removes what has surely expired on a path: locks, and (for the sweep) waiters whose manager is dead. */
export function expire(
  view: View,
  resource: ResourcePath,
  cause: "timer" | "sweep",
  maxLocks: number,
): ExpireReply {
  const { path } = resource;
  const before = view.lock(path)?.holders ?? [];
  const tree = before.some((holder) => holder.scope === "tree" && hasExpired(view, holder));
  const expired = dropExpired(view, path, cause);
  const abandoned = cause === "sweep" ? dropDead(view, path) : 0;
  if (expired === 0 && abandoned === 0) return { expired, abandoned, promoted: [] };
  return { expired, abandoned, promoted: handOn(view, resource, tree, maxLocks) };
}

/** What follows when a place became free: the head of the queue, and word to the others. */
function handOn(
  view: View,
  resource: ResourcePath,
  tree: boolean,
  maxLocks: number | undefined,
): readonly Promoted[] {
  if (maxLocks === undefined) {
    view.announce(resource.path);
    return [];
  }
  // Who waits below a tree stands in queues that were not looked at.
  if (tree) view.announce(resource.path);
  for (const ancestor of resource.ancestors) {
    if ((view.lock(ancestor)?.queue?.trees ?? 0) > 0) view.announce(resource.path);
  }
  return promoteHead(view, resource, maxLocks);
}

function findLock(view: View, name: LockName): Holder | undefined {
  const record = view.lock(name.resource.path);
  const holder = record?.holders.find((one) => one.lockId === name.lockId);
  return holder === undefined || hasExpired(view, holder) ? undefined : holder;
}
