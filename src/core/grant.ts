/** Granting: what refuses a request that nobody is in the way of, and the grant itself. */
import { type Blocker, hasExpired } from "./blockers.js";
import type { Claim, Request } from "./claim.js";
import { aboutHolder } from "./happening.js";
import { drop, type Granted, hold, ownHolder, prolong, rewrite } from "./holding.js";
import { agentKey, agentLocks, pathOfAgentLockKey } from "./keys.js";
import type { Holder } from "./records.js";
import { type View } from "./view.js";

export interface Limits {
  readonly maxLocksPerAgent: number;
  readonly maxWaitersPerAgent: number;
  readonly maxWaitersPerResource: number;
}

export type Refusal =
  | { readonly kind: "held"; readonly blockers: readonly Blocker[]; readonly queueLength: number }
  /** The agent holds the path in another mode or scope, which it would have to give up first. */
  | { readonly kind: "mismatch"; readonly path: string; readonly holder: Holder }
  | { readonly kind: "too many locks"; readonly limit: number; readonly oldest: readonly Granted[] }
  | {
      readonly kind: "too many waiters";
      readonly of: "agent" | "resource";
      readonly path: string;
      readonly limit: number;
    };

const shownLocks = 5;

export function findMismatch(view: View, request: Request): Refusal | undefined {
  for (const claim of request.claims) {
    const holder = ownHolder(view, claim.resource.path, request.agentId);
    if (holder !== undefined && !suits(holder, request)) {
      return { kind: "mismatch", path: claim.resource.path, holder };
    }
  }
  return undefined;
}

function suits({ mode, scope }: Holder, request: Request): boolean {
  return mode === request.mode && scope === request.scope;
}

export function notYetHeld(view: View, request: Request): readonly Claim[] {
  return request.claims.filter(
    (claim) => ownHolder(view, claim.resource.path, request.agentId) === undefined,
  );
}

/** Grants all claims in one change: those the agent has already are only prolonged, never shortened, and cost no quota. */
export function grant(view: View, request: Request): { kind: "granted"; granted: readonly Granted[] } {
  const granted = request.claims.map((claim) => {
    const { path } = claim.resource;
    const mine = ownHolder(view, path, request.agentId);
    if (mine === undefined) return hold(view, request, claim);
    if (mine.lockId === claim.lockId) return recovered(view, path, mine);
    const asked = view.latest + claim.ttlMs;
    const joined: Holder = { ...mine, joined: joinedBy(mine, claim.lockId) };
    if (asked > mine.expiresAt) return prolong(view, path, joined, asked, claim.ttlMs);
    if (mine.joined === joined.joined) return { path, holder: numbered(view, path, mine) };
    view.before(mine.expiresAt);
    return { path, holder: rewrite(view, path, joined) };
  });
  return { kind: "granted", granted };
}

function joinedBy({ joined }: Holder, lockId: string): string | true {
  return joined === undefined || joined === lockId ? lockId : true;
}

/**
 * The locks that a request has come to; nothing when it has not all of them. It was granted when every path is the agent's as it was asked for, one of
 * them by this request: the others it may have had before.
 */
export function locksOf(view: View, request: Request): readonly Granted[] | undefined {
  const granted: Granted[] = [];
  let byThis = false;
  for (const { resource, lockId } of request.claims) {
    const { path } = resource;
    const holder = ownHolder(view, path, request.agentId);
    if (holder === undefined || !suits(holder, request)) return undefined;
    byThis ||= holder.lockId === lockId;
    granted.push({ path, holder });
  }
  return byThis ? granted : undefined;
}

/** An earlier attempt of this very request was granted, but its reply was lost, and with it what happened. */
export function recovered(view: View, path: string, mine: Holder): Granted {
  const holder = numbered(view, path, mine);
  // A lock put by this very change was told of by the plan that put it.
  if (view.lockRevision(path) !== 0) view.tell(aboutHolder("acquired", path, holder, 0));
  return { path, holder };
}

export function numbered(view: View, path: string, holder: Holder): Holder {
  return holder.token === 0 ? { ...holder, token: view.lockRevision(path) } : holder;
}

/**
 * The refusal when the agent would hold more than its limit. Only an agent at its limit has its locks looked at one by one: those that have expired
 * are dropped in the same change, so that they cost no quota (invariant I7).
 */
export function overLimit(
  view: View,
  { agentId }: Request,
  fresh: readonly Claim[],
  limit: number,
): Refusal | undefined {
  const agent = agentKey(agentId);
  const more = fresh.length;
  if (more === 0) return undefined;
  if (view.agent(agentId).locks + more <= limit) return undefined;
  const locks: Granted[] = [];
  for (const found of view.range(agentLocks(agent))) {
    const path = pathOfAgentLockKey(agent, found.key);
    const holder = view.lock(path)?.holders.find((one) => one.agentId === agentId);
    if (holder === undefined) continue;
    if (hasExpired(view, holder)) dropOne(view, path, holder);
    else locks.push({ path, holder });
  }
  if (view.agent(agentId).locks + more <= limit) return undefined;
  locks.sort((a, b) => a.holder.acquiredAt - b.holder.acquiredAt);
  return { kind: "too many locks", limit, oldest: locks.slice(0, shownLocks) };
}

function dropOne(view: View, path: string, holder: Holder): void {
  const revision = view.lockRevision(path);
  // A path with a queue must be handed on, which its own expiry does; here only the count matters.
  drop(view, path, holder);
  view.announce(path);
  view.tell(aboutHolder("expired", path, holder, revision, holder.expiresAt, "takeover"));
}
