/** `POST /v1/locks/extend`: sets the expiry of locks to now + ttl. */
import { extendRequestSchema } from "../../protocol/extend.js";
import { locksSchema, lockToJson } from "../../protocol/lock.js";
import { jsonAnswer } from "../answer.js";
import { extendLocks } from "../extend-request.js";
import { requiredAgentOf } from "../request-agent.js";
import { readBody } from "../request-body.js";
import { jsonBody, jsonResponse, type Route, refusalResponses } from "../route.js";
import type { Services } from "../services.js";

export function extendRoute({ manager }: Services): Route {
  return {
    method: "post",
    path: "/v1/locks/extend",
    description: {
      operationId: "extendLocks",
      summary: "Extend locks",
      description:
        "Each by itself: when one is refused the others are extended all the same, and the refusal names the one.",
      request: {
        body: jsonBody(extendRequestSchema, {
          locks: [{ resource_path: "/repo/src/a.ts", lock_id: "the id that the acquire answered" }],
          agent_id: "agent-123",
          ttl: "2m",
        }),
      },
      responses: {
        ...jsonResponse(200, "The locks with their new expiry, in the order asked.", locksSchema),
        ...refusalResponses(410, 413, 415),
      },
    },
    answer: async (exchange) => {
      const request = await readBody(exchange, extendRequestSchema);
      const agentId = requiredAgentOf(exchange, request.agent_id);
      const locks = await extendLocks(manager, agentId, request);
      const now = manager.currentTime();
      return jsonAnswer(200, { locks: locks.map((lock) => lockToJson(lock, now)) });
    },
  };
}
