/** `POST /v1/locks/check`: which of some paths are mine, theirs and free. */
import { checkRequestSchema, checkResultSchema, checkResultToJson } from "../../protocol/check.js";
import { jsonAnswer } from "../answer.js";
import { requiredAgentOf } from "../request-agent.js";
import { readBody } from "../request-body.js";
import { jsonBody, jsonResponse, type Route, refusalResponses } from "../route.js";
import type { Services } from "../services.js";

export function checkRoute({ manager }: Services): Route {
  return {
    method: "post",
    path: "/v1/locks/check",
    description: {
      operationId: "checkLocks",
      summary: "Sort paths into mine, theirs and free",
      description: "From one snapshot. Takes nothing and never queues.",
      request: {
        body: jsonBody(checkRequestSchema, { resource_paths: ["/repo/src/a.ts"], agent_id: "agent-123" }),
      },
      responses: {
        ...jsonResponse(200, "The paths, sorted.", checkResultSchema),
        ...refusalResponses(413, 415),
      },
    },
    answer: async (exchange) => {
      const request = await readBody(exchange, checkRequestSchema);
      const agentId = requiredAgentOf(exchange, request.agent_id);
      const result = await manager.checkLocks(request.resource_paths, agentId);
      return jsonAnswer(200, checkResultToJson(result, manager.currentTime()));
    },
  };
}
