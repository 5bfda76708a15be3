/** `POST /v1/locks/release`: ends locks that are named, all of an agent, what an acquire got, or by force. */
import { invalid, LockError } from "../../errors.js";
import type { AcquiredLock, Lock } from "../../lock-manager.js";
import { lockToJson } from "../../protocol/lock.js";
import { type ReleaseRequest, releasedSchema, releaseRequestSchema } from "../../protocol/release.js";
import { jsonAnswer } from "../answer.js";
import { allOf } from "../each-lock.js";
import type { Exchange } from "../exchange.js";
import { HttpRefusal } from "../http-refusal.js";
import { agentOf, requiredAgentOf } from "../request-agent.js";
import { readBody } from "../request-body.js";
import { jsonBody, jsonResponse, type Route, refusalResponses } from "../route.js";
import type { Services } from "../services.js";

interface Released {
  readonly released: readonly boolean[];
  readonly locks?: readonly Lock[];
}

export function releaseRoute(services: Services): Route {
  return {
    method: "post",
    path: "/v1/locks/release",
    description: {
      operationId: "releaseLocks",
      summary: "Release locks",
      description:
        "Give `locks`, `all` or `acquired_with`. Each lock is released by itself: when one is refused the others are released all the same.",
      request: { body: jsonBody(releaseRequestSchema, { agent_id: "agent-123", all: true }) },
      responses: {
        ...jsonResponse(200, "What became of each.", releasedSchema),
        ...refusalResponses(413, 415),
      },
    },
    answer: async (exchange) => {
      const request = await readBody(exchange, releaseRequestSchema);
      const { released, locks } = await release(services, exchange, request);
      const now = services.manager.currentTime();
      return jsonAnswer(200, {
        released,
        ...(locks !== undefined && { locks: locks.map((lock) => lockToJson(lock, now)) }),
      });
    },
  };
}

function release(services: Services, exchange: Exchange, request: ReleaseRequest): Promise<Released> {
  refuseMixtures(request);
  const { locks, force, acquired_with: key } = request;
  if (locks !== undefined && force === true) return releaseByForce(services, exchange, request, locks);
  const agentId = requiredAgentOf(exchange, request.agent_id);
  if (locks !== undefined) return releaseNamed(services, agentId, locks);
  return key === undefined ? releaseAll(services, agentId) : releaseAcquired(services, agentId, key);
}

function refuseMixtures({ locks, all, acquired_with, force, reason }: ReleaseRequest): void {
  const ways = [locks, all, acquired_with].filter((way) => way !== undefined);
  if (ways.length !== 1) throw invalid("locks", locks, "exactly one of locks, all and acquired_with");
  if (force === true && locks === undefined) throw invalid("force", force, "to come with locks");
  if (force === true && reason === undefined) throw invalid("reason", reason, "why, as it is by force");
  if (force !== true && reason !== undefined) throw invalid("reason", reason, "none, unless it is by force");
}

async function releaseNamed(
  { manager }: Services,
  agentId: string,
  locks: NonNullable<ReleaseRequest["locks"]>,
): Promise<Released> {
  const named = locks.map(({ resource_path, lock_id }, index) => {
    if (lock_id === undefined)
      throw invalid(`locks[${index}].lock_id`, lock_id, "the lock id that came with the lock");
    return { path: resource_path, lockId: lock_id };
  });
  const released = await allOf(named, ({ path, lockId }) => manager.releaseLock(path, agentId, lockId));
  return { released };
}

async function releaseByForce(
  { manager }: Services,
  exchange: Exchange,
  { reason = "", agent_id }: ReleaseRequest,
  locks: NonNullable<ReleaseRequest["locks"]>,
): Promise<Released> {
  const by = agentOf(exchange, agent_id);
  const ended = await allOf(locks, ({ resource_path, lock_id }) =>
    manager.forceRelease(resource_path, {
      reason,
      ...(lock_id !== undefined && { lockId: lock_id }),
      ...(by !== undefined && { by }),
    }),
  );
  return { released: ended.map((each) => each.length > 0), locks: ended.flat() };
}

async function releaseAll({ manager }: Services, agentId: string): Promise<Released> {
  const locks = await manager.getAgentLocks(agentId);
  const released = await allOf(locks, (lock) => manager.releaseLock(lock.resourcePath, agentId, lock.lockId));
  return { released, locks };
}

/** The acquire may still wait, and then leaves the queue. */
async function releaseAcquired({ attempts }: Services, agentId: string, key: string): Promise<Released> {
  const attempt = attempts.callOff(agentId, key);
  const calledOff = new LockError("aborted", "The acquire was called off with its Idempotency-Key.");
  attempt?.abort(new HttpRefusal(calledOff, {}));
  const locks = await acquiredBy(attempt?.locks);
  const released = await allOf(locks, (lock) => lock.release());
  return { released, locks };
}

async function acquiredBy(
  attempt: Promise<readonly AcquiredLock[]> | undefined,
): Promise<readonly AcquiredLock[]> {
  try {
    return (await attempt) ?? [];
  } catch {
    // It was refused or aborted; its own caller was told.
    return [];
  }
}
