/**
 * Deadlocks: agents that hold and wait, each for the next.
 *
 * The last claim to be queued closes a cycle, so a waiter looks for one right after it was queued: every other edge is in the store by then. It
 * follows only waiters older than itself, so of all members exactly one, the youngest, finds the cycle and is refused (invariant I19). The graph
 * is read in one snapshot.
 */
import { isAlive, type Place, ticketOf, visitBlockers, waitingAt, waitsOf } from "./blockers.js";
import { type Claim, isEarlier, type Request, type Ticket } from "./claim.js";
import { ticketIn } from "./promote.js";
import { requestOf } from "./queue.js";
import { storedPath } from "./resource-path.js";
import { asWaiter, type View } from "./view.js";

/** An agent waits for a path, behind another. */
export interface Edge {
  readonly agentId: string;
  readonly waitsFor: string;
  readonly blockedBy: string;
}

/** Beyond this many agents and requests the search gives up, and the timeouts decide. */
const mostSeen = 256;
const mostBlockers = 64;

interface Step extends Edge {
  /** The waiting request in the way; `undefined`: a lock is, which its agent may keep until all it waits for is granted. */
  readonly requestId: string | undefined;
  readonly from: Step | undefined;
}

/**
 * The cycle that a waiting request closed, starting with it.
 *
 * Breadth first: behind a waiter only that waiter's own request is followed, behind a lock everything its agent waits for; and only a lock that the
 * request's agent holds closes a cycle. What an agent waits for is looked up in its own entries, so the search never scans.
 */
export function findCycle(
  view: View,
  request: Request,
  places: readonly number[],
): readonly Edge[] | undefined {
  if (view.agent(request.agentId).locks === 0) return undefined;
  const mine = ticketIn(view, request, places);
  if (mine === undefined) return undefined;

  const seen = new Set<string>();
  let frontier = edgesOf(view, request, places, undefined);
  while (frontier.length > 0 && seen.size <= mostSeen) {
    const next: Step[] = [];
    for (const step of frontier) {
      if (step.requestId === undefined && step.blockedBy === request.agentId) return edges(step);
      const name = JSON.stringify([step.blockedBy, step.requestId]);
      if (seen.has(name)) continue;
      seen.add(name);
      next.push(...stepsBehind(view, step, mine));
    }
    frontier = next;
  }
  return undefined;
}

/** What is in the way of the one that is in the way: of all that its agent has waited for since before that ticket, or of its own request. */
function stepsBehind(view: View, step: Step, before: Ticket): Step[] {
  if (view.agent(step.blockedBy).waits === 0) return [];
  const steps: Step[] = [];
  for (const [lockId, { path, n, requestId }] of waitsOf(view, step.blockedBy)) {
    if (step.requestId !== undefined && step.requestId !== requestId) continue;
    const found = waitingAt(view, path, n, lockId);
    if (found === undefined || !isEarlier(ticketOf(found), before) || !isAlive(view, asWaiter(found)))
      continue;
    const waiter = asWaiter(found);
    const claim: Claim = { resource: storedPath(path), lockId, ttlMs: waiter.ttlMs };
    steps.push(...edgesOf(view, requestOf(waiter, claim), [n], step));
  }
  return steps;
}

function edgesOf(view: View, request: Request, places: readonly number[], from: Step | undefined): Step[] {
  const steps: Step[] = [];
  for (const [index, claim] of request.claims.entries()) {
    const n = places[index] ?? 0;
    const found = waitingAt(view, claim.resource.path, n, claim.lockId);
    if (found === undefined) continue;
    const { agentId } = request;
    for (const { blockedBy, requestId } of inTheWay(view, request, claim, { ticket: ticketOf(found), n })) {
      steps.push({ agentId, waitsFor: claim.resource.path, blockedBy, requestId, from });
    }
  }
  return steps;
}

function inTheWay(
  view: View,
  request: Request,
  claim: Claim,
  place: Place,
): readonly Pick<Step, "blockedBy" | "requestId">[] {
  const found: Pick<Step, "blockedBy" | "requestId">[] = [];
  visitBlockers(view, request, claim, place, (blocker) => {
    found.push(
      blocker.standing === "holder"
        ? { blockedBy: blocker.holder.agentId, requestId: undefined }
        : { blockedBy: blocker.waiter.agentId, requestId: blocker.waiter.requestId },
    );
    return found.length >= mostBlockers;
  });
  return found;
}

function edges(last: Step): readonly Edge[] {
  const cycle: Edge[] = [];
  for (let step: Step | undefined = last; step !== undefined; step = step.from) {
    cycle.unshift({ agentId: step.agentId, waitsFor: step.waitsFor, blockedBy: step.blockedBy });
  }
  return cycle;
}
