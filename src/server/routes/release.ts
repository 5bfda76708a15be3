/** `POST /v1/locks/release`: ends locks that are named, all of an agent, what an acquire got, or by force. */
import { LockError } from "../../errors.js";
import type { AcquiredLock } from "../../lock-manager.js";
import { releasedSchema, releaseRequestSchema } from "../../protocol/release.js";
import { jsonAnswer } from "../answer.js";
import { allOf } from "../each-lock.js";
import { HttpRefusal } from "../http-refusal.js";
import { type Released, refuseMixtures, releasedToJson, releaseLocks } from "../release-request.js";
import { agentOf, required } from "../request-agent.js";
import { readBody } from "../request-body.js";
import { jsonBody, jsonResponse, type Route, refusalResponses } from "../route.js";
import type { Services } from "../services.js";

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
      refuseMixtures(request);
      const agentId = agentOf(exchange, request.agent_id);
      const { acquired_with: key } = request;
      const released =
        key === undefined
          ? await releaseLocks(services.manager, agentId, request)
          : await releaseAcquired(services, required(agentId), key);
      return jsonAnswer(200, releasedToJson(released, services.manager.currentTime()));
    },
  };
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
