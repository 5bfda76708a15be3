/**
 * Who is in the way of a claim.
 *
 * A claim may be granted iff no conflicting lock is in force and no conflicting earlier waiter is alive. What could conflict stands on the claim's
 * own path, on the paths above it (trees) and, for a tree, anywhere below it.
 */
import { type Claim, conflict, isEarlier, type Request, type Standing, type Ticket } from "./claim.js";
import {
  agentKey,
  agentLocks,
  agentWaits,
  lockKey,
  locksBelow,
  managerKey,
  pathOfAgentLockKey,
  pathOfLockKey,
  placeOfWaitKey,
  queueOf,
  queuesBelow,
  waitKey,
} from "./keys.js";
import type { AgentWaitRecord, Holder, LockRecord, WaitRecord } from "./records.js";
import { asAgentWait, asLock, asWaiter, type Found, managerAt, type View } from "./view.js";

export interface HolderInTheWay {
  readonly standing: "holder";
  readonly path: string;
  readonly holder: Holder;
}

export interface WaiterInTheWay {
  readonly standing: "waiter";
  readonly path: string;
  readonly waiter: WaitRecord;
  readonly ticket: Ticket;
}

export type Blocker = HolderInTheWay | WaiterInTheWay;

/** Gets one blocker after the other; answers true when it has seen enough. */
export type Visit<Kind = Blocker> = (blocker: Kind) => boolean;

/** Where the claim stands in a queue. A newcomer has no place: everybody in the queue is earlier. */
export interface Place {
  readonly ticket: Ticket;
  /** The number in the queue of the claim's own path. */
  readonly n: number;
}

/** Queues are read in pages: mostly somebody on the first one is in the way. */
export const queuePage = 100;

/** A lock that may be taken over has surely expired. */
export function hasExpired(view: View, holder: Holder): boolean {
  return holder.expiresAt <= view.earliest;
}

/** Visits the conflicting locks in force, then the conflicting earlier waiters alive. True when `visit` had enough. */
export function visitBlockers(
  view: View,
  request: Request,
  claim: Claim,
  place: Place | undefined,
  visit: Visit,
): boolean {
  return visitHolders(view, request, claim, visit) || visitEarlier(view, request, claim, place, visit);
}

/** Visits the earlier waiters alive that conflict with the claim and that its agent has to queue behind. */
export function visitEarlier(
  view: View,
  request: Request,
  claim: Claim,
  place: Place | undefined,
  visit: Visit<WaiterInTheWay>,
): boolean {
  return visitWaiters(
    view,
    request,
    claim,
    place,
    (blocker) => !isBlockedBy(view, request, blocker) && visit(blocker),
  );
}

/** Visits the locks in force that conflict with the claim. */
export function visitHolders(
  view: View,
  request: Standing,
  claim: Claim,
  visit: Visit<HolderInTheWay>,
): boolean {
  const { path, ancestors } = claim.resource;
  const own = view.lock(path);
  if (own !== undefined && visitRecord(view, request, path, path, own, visit)) return true;
  for (const ancestor of ancestors) {
    const above = view.lock(ancestor);
    if (above !== undefined && visitRecord(view, request, path, ancestor, above, visit)) return true;
  }
  if (request.scope === "resource") return false;
  return locksUnder(view, path).some((found) =>
    visitRecord(view, request, path, pathOfLockKey(found.key), asLock(found), visit),
  );
}

/** The lock entries below a path, from a range that the change then expects to be unchanged. */
function locksUnder(view: View, path: string): readonly Found[] {
  const below = view.range(locksBelow(path));
  const own = lockKey(path);
  return path === "/" ? below.filter((found) => found.key !== own) : below;
}

function visitRecord(
  view: View,
  request: Standing,
  path: string,
  at: string,
  record: LockRecord,
  visit: Visit<HolderInTheWay>,
): boolean {
  for (const holder of record.holders) {
    if (
      conflict(request, path, holder, at) &&
      !hasExpired(view, holder) &&
      visit({ standing: "holder", path: at, holder })
    ) {
      return true;
    }
  }
  return false;
}

/** Visits the earlier waiters alive that conflict with the claim. */
function visitWaiters(
  view: View,
  request: Request,
  claim: Claim,
  place: Place | undefined,
  visit: Visit<WaiterInTheWay>,
): boolean {
  const { path, ancestors } = claim.resource;
  const own = view.lock(path)?.queue;
  // At the head of its own queue nobody is earlier there.
  if (own !== undefined && !(place !== undefined && place.n <= own.head)) {
    if (visitQueue(view, request, path, queueOf(path), place?.ticket, visit)) return true;
  }
  for (const ancestor of ancestors) {
    const trees = view.lock(ancestor)?.queue?.trees ?? 0;
    if (trees > 0 && visitQueue(view, request, path, queueOf(ancestor), place?.ticket, visit)) return true;
  }
  if (request.scope === "resource") return false;
  // Whoever queues below writes the lock entry there, so the range of lock entries also guards the queues.
  if (!locksUnder(view, path).some((found) => asLock(found).queue !== undefined)) return false;
  return visitQueue(view, request, path, queuesBelow(path), place?.ticket, visit);
}

function visitQueue(
  view: View,
  request: Request,
  path: string,
  prefix: string,
  ticket: Ticket | undefined,
  visit: Visit<WaiterInTheWay>,
): boolean {
  let page: readonly Found[];
  let after: string | undefined;
  do {
    page = view.range(prefix, queuePage, after);
    for (const found of page) {
      const waiter = asWaiter(found);
      const at = placeOfWaitKey(found.key).path;
      if (!conflict(request, path, waiter, at)) continue;
      const earlier = ticketOf(found);
      if (ticket !== undefined && !isEarlier(earlier, ticket)) continue;
      if (isAlive(view, waiter) && visit({ standing: "waiter", path: at, waiter, ticket: earlier }))
        return true;
    }
    after = page.at(-1)?.key;
  } while (page.length === queuePage);
  return false;
}

export function ticketOf(found: Found): Ticket {
  const waiter = asWaiter(found);
  return { revision: found.revision, ordinal: waiter.ordinal, requestId: waiter.requestId };
}

/**
 * A waiter counts while its manager lives and its time is not up. The change expects the manager's entry that proves the opposite, so a manager
 * that is alive after all is noticed.
 */
export function isAlive(view: View, waiter: WaitRecord): boolean {
  if (waiter.until !== null && waiter.until <= view.earliest) return false;
  if (waiter.managerId === view.managerId) return true;
  const manager = managerAt(view, managerKey(waiter.managerId));
  return manager !== undefined && manager.expiresAt > view.earliest;
}

/**
 * Whether a waiter waits for a lock that the requesting agent itself holds. An agent does not queue behind such a waiter: neither could ever go on.
 */
function isBlockedBy(view: View, request: Request, blocker: WaiterInTheWay): boolean {
  const agent = agentKey(request.agentId);
  if (view.agent(request.agentId).locks === 0) return false;
  const paths = pathsOf(view, blocker);
  for (const found of view.range(agentLocks(agent))) {
    const held = pathOfAgentLockKey(agent, found.key);
    const mine = view.lock(held)?.holders.find((holder) => holder.agentId === request.agentId);
    if (mine === undefined || hasExpired(view, mine)) continue;
    if (paths.some((path) => conflict(blocker.waiter, path, mine, held))) return true;
  }
  return false;
}

/** All the paths that the waiter's request is for. */
function pathsOf(view: View, blocker: WaiterInTheWay): readonly string[] {
  const { waiter, path } = blocker;
  if (waiter.paths === 1) return [path];
  return [...waitsOf(view, waiter.agentId).values()]
    .filter((place) => place.requestId === waiter.requestId)
    .map((place) => place.path);
}

/** Where an agent waits, by lock id. */
export function waitsOf(view: View, agentId: string): ReadonlyMap<string, AgentWaitRecord> {
  const prefix = agentWaits(agentKey(agentId));
  return new Map(view.range(prefix).map((found) => [found.key.slice(prefix.length), asAgentWait(found)]));
}

/** A waiting claim as it stands in the store, or nothing when it has left the queue. */
export function waitingAt(view: View, path: string, n: number, lockId: string): Found | undefined {
  const key = waitKey(path, n);
  const value = view.get(key);
  const found = value === undefined ? undefined : { key, value, revision: view.revision(key) };
  return found !== undefined && asWaiter(found).lockId === lockId ? found : undefined;
}
