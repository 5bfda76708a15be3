/** What follows an acquire: word of it, and when nobody got the lock, the certainty that nothing is left. */
import type { Request } from "../core/claim.js";
import { retire } from "../core/promote.js";
import type { Promoted } from "../core/queue.js";
import { storedPath } from "../core/resource-path.js";
import { LockError } from "../errors.js";
import type { Command } from "./job.js";
import { patienceMs } from "./pipeline.js";
import type { Services } from "./services.js";

const firstDelayMs = 100;
const longestDelayMs = 10_000;

/** Gives back a grant that nobody takes any more. */
export function giveBack(services: Services, request: Request): void {
  retireUntilDone(services, request, true, firstDelayMs);
}

/**
 * Makes sure that nothing is left of a request whose outcome was never learned: looks at once, and again when no change that was ever sent for it can
 * be applied any more.
 */
export function followUp(services: Services, request: Request): void {
  const { clock, storeClock } = services;
  retireUntilDone(services, request, false, firstDelayMs);
  const over = storeClock.surelyAt(storeClock.latest() + patienceMs) - clock.monotonic();
  clock.after(over, () => retireUntilDone(services, request, false, firstDelayMs), { background: true });
}

/** Asks a store that fails again and again, until it has answered or the manager closes. `told`: whether the grant was told of. */
function retireUntilDone(services: Services, request: Request, told: boolean, delayMs: number): void {
  const { pipeline, clock, limits, room, inHand } = services;
  let rest = request;
  const retirement: Command<readonly Promoted[]> = {
    plan: (view) => {
      rest = unclaimed(services, request);
      return retire(view, rest, told, limits.maxLocksPerAgent);
    },
    done: (promoted, { revision }) => {
      // Somebody may have got the same lock as a re-acquire while this was under way.
      for (const { resource, lockId } of rest.claims) inHand.wasEnded(resource.path, lockId);
      room.serve(promoted, revision);
    },
    fail: (error) => {
      if (error instanceof LockError && error.code === "closed") return;
      const next = Math.min(delayMs * 2, longestDelayMs);
      clock.after(delayMs, () => retireUntilDone(services, request, told, next), { background: true });
    },
  };
  pipeline.submit(retirement);
}

/** Without the locks that another call of the same agent got meanwhile, as re-acquires, and has in hand. */
function unclaimed({ inHand }: Services, request: Request): Request {
  const claims = request.claims.filter(({ resource, lockId }) => !inHand.has(resource.path, lockId));
  return { ...request, claims };
}

/** The same request under ids of its own, so that two attempts are never taken for each other. */
export function renewed(request: Request, newId: () => string): Request {
  const claims = request.claims.map((claim) => ({ ...claim, lockId: newId() }));
  return { ...request, claims, requestId: claims[0]?.lockId ?? "" };
}

/** The request of a grant whose call is gone. */
export function requestOf({ requestId, granted: { path, holder } }: Promoted): Request {
  const { agentId, mode, scope, lockId, ttlMs } = holder;
  return { requestId, agentId, mode, scope, claims: [{ resource: storedPath(path), lockId, ttlMs }] };
}

/** An event about an acquire as a whole: told of its first path. */
export function tellOfAcquire(
  { events, storeClock }: Services,
  request: Request,
  type: "contended" | "refused",
  waitedMs: number,
  cause?: string,
): void {
  const claim = request.claims[0];
  if (claim === undefined) return;
  const { path: resourcePath, type: resourceType } = claim.resource;
  const { agentId, mode, scope, reason } = request;
  events.count({ type, resourceType, cause });
  if (!events.isRead) return;
  events.offer({
    type,
    at: new Date(storeClock.latest()),
    resourcePath,
    resourceType,
    agentId,
    mode,
    scope,
    ...(reason === undefined ? {} : { reason }),
    ...(type === "refused" ? { waitedMs, call: "acquire" as const } : {}),
    ...(cause === undefined ? {} : { cause }),
  });
}
