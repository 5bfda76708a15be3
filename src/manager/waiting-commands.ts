/** The commands of an acquire that waits: looking for its turn, and leaving the queue. */
import type { Request } from "../core/claim.js";
import { type PromoteReply, promote, type WithdrawReply, withdraw } from "../core/promote.js";
import { followUp, giveBack } from "./aftermath.js";
import type { Command } from "./job.js";
import type { Services } from "./services.js";

/** A call as it stands now: by the time a command is planned or done it may have been served, or have queued anew. */
interface Waiting {
  readonly request: Request;
  readonly places: readonly number[];
  readonly isWaiting: boolean;
  readonly path: string | undefined;
  readonly waitedMs: number;
}

const gone: WithdrawReply = { kind: "gone", blockers: [], queueLength: 0, rest: false };

/**
 * `done` is called only if the call still waits as it did; a grant that comes too late for that is given back. `isAfresh`: what was believed before may
 * be older than what it was woken by.
 */
export function submitPromotion(
  services: Services,
  call: Waiting,
  isAfresh: boolean,
  on: { done(reply: PromoteReply, revision: number): void; failed(): void },
): void {
  const { pipeline, limits } = services;
  const { request, places } = call;
  const isCurrent = (): boolean => call.isWaiting && request === call.request;
  const promotion: Command<PromoteReply> = {
    path: call.path,
    isInTurn: true,
    isAfresh,
    get waitedMs() {
      return call.waitedMs;
    },
    plan: (view) => (isCurrent() ? promote(view, request, places, limits) : { kind: "gone" }),
    isProvisional: (reply) => reply.kind === "waiting",
    done: (reply, { revision, uncertain }) => {
      if (isCurrent()) on.done(reply, revision);
      else if (reply.kind === "granted") giveBack(services, request);
      // An attempt without an answer may have been the grant.
      else if (uncertain) followUp(services, request);
    },
    fail: () => on.failed(),
  };
  pipeline.submit(promotion, Infinity);
}

export function submitWithdrawal(
  { pipeline }: Services,
  call: Waiting,
  cause: string,
  on: { done(reply: WithdrawReply): void; failed(error: unknown): void },
): void {
  const withdrawal: Command<WithdrawReply> = {
    path: call.path,
    get waitedMs() {
      return call.waitedMs;
    },
    // Once it was served, its grant has been told of, and is being given back.
    plan: (view) => (call.isWaiting ? withdraw(view, call.request, call.places, cause) : gone),
    done: (reply) => on.done(reply),
    fail: (error) => on.failed(error),
  };
  pipeline.submit(withdrawal);
}
