/**
 * Deadlocks: agents that hold and wait, each for the next.
 *
 * The last claim to be queued closes a cycle, so a waiter looks for one right after it was queued: every other edge is in the store by then. It
 * follows only waiters older than itself, so of all members exactly one, the youngest, finds the cycle and is refused (invariant I19). The graph
 * is read in one snapshot.
 */
import { type Blocker, isAlive, ticketOf, visitBlockers, waitingAt } from "./blockers.js";
import { type Claim, isEarlier, type Request, type Ticket } from "./claim.js";
import { agentKey, agentWaits } from "./keys.js";
import { ticketIn } from "./promote.js";
import type { WaitRecord } from "./records.js";
import { storedPath } from "./resource-path.js";
import { asAgentWait, asWaiter, type View } from "./view.js";

/** An agent waits for a path, behind another. */
export interface Edge {
  readonly agentId: string;
  readonly waitsFor: string;
  readonly blockedBy: string;
}

/** Beyond this many agents the search gives up, and the timeouts decide. */
const mostAgents = 256;
const mostBlockers = 64;

interface Step extends Edge {
  readonly from: Step | undefined;
}

/**
 * The cycle that a waiting request closed, starting with it.
 *
 * Breadth first over agents: what an agent waits for is looked up in its own entries, so the search never scans.
 */
export function findCycle(
  view: View,
  request: Request,
  places: readonly number[],
): readonly Edge[] | undefined {
  const agent = view.agent(request.agentId);
  // Nobody can wait for an agent that holds nothing and stands in no other queue.
  if (agent.locks === 0 && agent.waits <= request.claims.length) return undefined;
  const mine = ticketIn(view, request, places);
  if (mine === undefined) return undefined;

  const seen = new Set<string>();
  let frontier = edgesOf(view, request, places, undefined);
  while (frontier.length > 0 && seen.size <= mostAgents) {
    const next: Step[] = [];
    for (const step of frontier) {
      if (step.blockedBy === request.agentId) return edges(step);
      if (seen.has(step.blockedBy)) continue;
      seen.add(step.blockedBy);
      next.push(...waitsOf(view, step.blockedBy, mine, step));
    }
    frontier = next;
  }
  return undefined;
}

/** Everything an agent has waited for since before that ticket, one step per blocker. */
function waitsOf(view: View, agentId: string, before: Ticket, from: Step): Step[] {
  const agent = agentKey(agentId);
  if (view.agent(agentId).waits === 0) return [];
  const steps: Step[] = [];
  for (const entry of view.range(agentWaits(agent))) {
    const { path, n } = asAgentWait(entry);
    const lockId = entry.key.slice(agentWaits(agent).length);
    const found = waitingAt(view, path, n, lockId);
    if (found === undefined || !isEarlier(ticketOf(found), before) || !isAlive(view, asWaiter(found)))
      continue;
    steps.push(...edgesOf(view, requestOf(asWaiter(found), path, lockId), [n], from));
  }
  return steps;
}

function requestOf(waiter: WaitRecord, path: string, lockId: string): Request {
  const { requestId, agentId, mode, scope, ttlMs } = waiter;
  return { requestId, agentId, mode, scope, claims: [{ resource: storedPath(path), lockId, ttlMs }] };
}

function edgesOf(view: View, request: Request, places: readonly number[], from: Step | undefined): Step[] {
  const steps: Step[] = [];
  for (const [index, claim] of request.claims.entries()) {
    const n = places[index] ?? 0;
    const found = waitingAt(view, claim.resource.path, n, claim.lockId);
    if (found === undefined) continue;
    const ticket = ticketOf(found);
    for (const blockedBy of agentsInTheWay(view, request, claim, { ticket, n })) {
      steps.push({ agentId: request.agentId, waitsFor: claim.resource.path, blockedBy, from });
    }
  }
  return steps;
}

function agentsInTheWay(
  view: View,
  request: Request,
  claim: Claim,
  place: { readonly ticket: Ticket; readonly n: number },
): ReadonlySet<string> {
  const agents = new Set<string>();
  visitBlockers(view, request, claim, place, (blocker) => {
    agents.add(agentOf(blocker));
    return agents.size >= mostBlockers;
  });
  return agents;
}

function agentOf(blocker: Blocker): string {
  return blocker.standing === "holder" ? blocker.holder.agentId : blocker.waiter.agentId;
}

function edges(last: Step): readonly Edge[] {
  const cycle: Edge[] = [];
  for (let step: Step | undefined = last; step !== undefined; step = step.from) {
    cycle.unshift({ agentId: step.agentId, waitsFor: step.waitsFor, blockedBy: step.blockedBy });
  }
  return cycle;
}
