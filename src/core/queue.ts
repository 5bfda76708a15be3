/** The queue of a path: joining it, leaving it, and letting its head hold the lock. */
import { isAlive, queuePage, visitHolders } from "./blockers.js";
import { type Claim, conflict, type Request } from "./claim.js";
import { aboutWaiter } from "./happening.js";
import { type Granted, hold, ownHolder } from "./holding.js";
import { agentKey, agentWaitKey, placeOfWaitKey, queueOf, waitKey } from "./keys.js";
import type { Queue, WaitRecord } from "./records.js";
import type { ResourcePath } from "./resource-path.js";
import { asWaiter, countAgent, type Found, settled, type View, waiterAt } from "./view.js";

const emptyQueue: Queue = { head: 1, next: 1, waiting: 0, trees: 0 };

/** How many waiters one release may serve or step over; the rest follow by themselves. */
const promotionsPerRelease = 16;

/** Puts the claim at the end of its path's queue and says which number it got. */
export function join(view: View, request: Request, claim: Claim, until: number | null): number {
  const { path } = claim.resource;
  const record = view.lock(path);
  const queue = record?.queue ?? emptyQueue;
  const n = queue.next;
  const waiter: WaitRecord = {
    lockId: claim.lockId,
    requestId: request.requestId,
    paths: request.claims.length,
    agentId: request.agentId,
    managerId: view.managerId,
    mode: request.mode,
    scope: request.scope,
    ttlMs: claim.ttlMs,
    since: view.latest,
    until,
    ordinal: view.ordinal,
    reason: request.reason,
    metadata: request.metadata,
  };
  // The number is nobody else's: whoever took it has written the lock entry as well.
  view.put(waitKey(path, n), waiter);
  view.putLock(path, {
    holders: settled(record?.holders ?? [], view.lockRevision(path)),
    queue: {
      head: queue.head,
      next: n + 1,
      waiting: queue.waiting + 1,
      trees: queue.trees + (request.scope === "tree" ? 1 : 0),
    },
  });
  view.index(agentWaitKey(agentKey(request.agentId), claim.lockId), {
    path,
    n,
    requestId: request.requestId,
  });
  countAgent(view, request.agentId, 0, 1);
  view.tell(aboutWaiter("queued", path, waiter));
  return n;
}

/** Takes a waiter out of its queue, where it stands at that number under that key. The head moves on when it was the head. */
export function leave(view: View, path: string, n: number, at: string, waiter: WaitRecord): void {
  const record = view.lock(path);
  view.remove(at);
  view.unindex(agentWaitKey(agentKey(waiter.agentId), waiter.lockId));
  countAgent(view, waiter.agentId, 0, -1);
  if (record?.queue === undefined) return;
  const { head, next, waiting, trees } = record.queue;
  if (n === head) view.leaveBehind(at);
  const queue =
    waiting <= 1
      ? undefined
      : {
          head: n === head ? n + 1 : head,
          next,
          waiting: waiting - 1,
          trees: trees - (waiter.scope === "tree" ? 1 : 0),
        };
  view.putLock(path, { holders: settled(record.holders, view.lockRevision(path)), queue });
}

export interface Promoted {
  readonly requestId: string;
  readonly granted: Granted;
}

/**
 * Lets the head of a queue hold the lock in the very change that freed it, as long as it is a waiter of this manager and a plain one: others (of several
 * paths, of a tree, at their limit, behind a tree, of another manager) are announced to and promote themselves.
 */
export function promoteHead(view: View, resource: ResourcePath, maxLocks: number): Promoted[] {
  const promoted: Promoted[] = [];
  const { path } = resource;
  for (let steps = 0; steps < promotionsPerRelease; steps++) {
    const record = view.lock(path);
    if (record?.queue === undefined) return promoted;
    const n = record.queue.head;
    const at = waitKey(path, n);
    if (!view.knows(at)) break;
    const waiter = waiterAt(view, at);
    if (waiter === undefined) {
      // Left from the middle of the queue. Only counted on when it pays: the entry is written below anyway.
      view.leaveBehind(at);
      beginAt(view, path, n + 1);
      continue;
    }
    const granted = promotePlain(view, resource, n, at, waiter, maxLocks);
    if (granted === undefined) break;
    promoted.push({ requestId: waiter.requestId, granted });
    // Nobody else can have a turn now, here or elsewhere.
    if (waiter.mode === "exclusive") return promoted;
  }
  if (view.lock(path)?.queue !== undefined) view.announce(path);
  return promoted;
}

function promotePlain(
  view: View,
  resource: ResourcePath,
  n: number,
  at: string,
  waiter: WaitRecord,
  maxLocks: number,
): Granted | undefined {
  if (waiter.managerId !== view.managerId || waiter.paths > 1 || waiter.scope === "tree") return undefined;
  if (waiter.until !== null && waiter.until <= view.latest) return undefined;
  if (view.agent(waiter.agentId).locks >= maxLocks) return undefined;
  if (ownHolder(view, resource.path, waiter.agentId) !== undefined) return undefined;
  for (const ancestor of resource.ancestors) {
    if ((view.lock(ancestor)?.queue?.trees ?? 0) > 0) return undefined;
  }
  const claim: Claim = { resource, lockId: waiter.lockId, ttlMs: waiter.ttlMs };
  if (visitHolders(view, waiter, claim, () => true)) return undefined;
  leave(view, resource.path, n, at, waiter);
  return hold(view, requestOf(waiter, claim), claim);
}

/** One place in a queue as a request of its own. */
export function requestOf(waiter: WaitRecord, claim: Claim): Request {
  const { requestId, agentId, mode, scope, reason, metadata } = waiter;
  return { requestId, agentId, mode, scope, claims: [claim], reason, metadata };
}

/**
 * Lets a queue begin with the first who really waits, when a request had its turn that was not its head: numbers that were left, and the waiters of dead
 * managers that it went past, are taken off the front.
 *
 * @param left the number of the request.
 */
export function tidyFront(view: View, request: Request, path: string, left: number): void {
  if (view.lock(path)?.queue === undefined) return;
  for (const found of view.range(queueOf(path), queuePage)) {
    const { n } = placeOfWaitKey(found.key);
    // Only those that were in its way were looked at closely.
    const wasInTheWay = n < left && conflict(request, path, asWaiter(found), path);
    if (n === left || (wasInTheWay && dropIfDead(view, path, found))) continue;
    beginAt(view, path, n);
    return;
  }
}

function beginAt(view: View, path: string, n: number): void {
  const record = view.lock(path);
  if (record?.queue === undefined || record.queue.head >= n) return;
  const holders = settled(record.holders, view.lockRevision(path));
  view.putLock(path, { holders, queue: { ...record.queue, head: n } });
}

/** Removes waiters whose manager is dead or whose time is up, and says how many. Reads one page of the queue. */
export function dropDead(view: View, path: string): number {
  const queue = view.lock(path)?.queue;
  if (queue === undefined) return 0;
  let dropped = 0;
  for (const found of view.range(queueOf(path), queuePage)) if (dropIfDead(view, path, found)) dropped++;
  return dropped;
}

function dropIfDead(view: View, path: string, found: Found): boolean {
  const waiter = asWaiter(found);
  if (waiter.managerId === view.managerId || isAlive(view, waiter)) return false;
  // Through `get`, so that the change expects the very waiter that was seen.
  if (waiterAt(view, found.key) === undefined) return false;
  leave(view, path, placeOfWaitKey(found.key).n, found.key, waiter);
  view.tell(aboutWaiter("dequeued", path, waiter, "abandoned"));
  return true;
}
