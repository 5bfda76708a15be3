/** What follows an acquire: word of it, and when nobody got the lock, the certainty that nothing is left. */
import type { Request } from "../core/claim.js";
import { retire } from "../core/promote.js";
import type { Promoted } from "../core/queue.js";
import { LockError } from "../errors.js";
import type { Command } from "./job.js";
import type { Services } from "./services.js";

const firstDelayMs = 100;
const longestDelayMs = 10_000;

/**
 * Removes the lock or the waiter of a request, and asks a store that fails again and again until that is sure or the manager closes.
 *
 * @param told whether its grant was told of.
 */
export function retireInBackground(
  services: Services,
  request: Request,
  told: boolean,
  delayMs = firstDelayMs,
): void {
  const { pipeline, clock, limits, room } = services;
  const retirement: Command<readonly Promoted[]> = {
    plan: (view) => retire(view, request, told, limits.maxLocksPerAgent),
    needsProof: () => true,
    done: (promoted, { revision }) => room.serve(promoted, revision),
    fail: (error) => {
      if (error instanceof LockError && error.code === "closed") return;
      const next = Math.min(delayMs * 2, longestDelayMs);
      clock.after(delayMs, () => retireInBackground(services, request, told, next), { background: true });
    },
  };
  pipeline.submit(retirement);
}

/** An event about an acquire as a whole: told of its first path. */
export function tellOfAcquire(
  { events, storeClock }: Services,
  request: Request,
  type: "contended" | "refused",
  waitedMs: number,
  cause: string | undefined,
): void {
  const claim = request.claims[0];
  if (claim === undefined) return;
  const { agentId, mode, scope, reason } = request;
  events.emit({
    type,
    at: new Date(storeClock.latest()),
    resourcePath: claim.resource.path,
    resourceType: claim.resource.type,
    agentId,
    mode,
    scope,
    ...(reason === undefined ? {} : { reason }),
    ...(type === "refused" ? { waitedMs, call: "acquire" as const } : {}),
    ...(cause === undefined ? {} : { cause }),
  });
}
