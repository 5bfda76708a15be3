/** `GET /v1/agents/{agent_id}`: what an agent holds and waits for. */
import { z } from "zod";
import { agentStateSchema, agentStateToJson } from "../../protocol/agent-state.js";
import { agentIdField } from "../../protocol/fields.js";
import { jsonAnswer } from "../answer.js";
import { pathArgument } from "../path-argument.js";
import { readQuery } from "../request-query.js";
import { jsonResponse, type Route, refusalResponses } from "../route.js";
import type { Services } from "../services.js";

const noQuery = z.strictObject({});

export function showAgentRoute({ manager }: Services): Route {
  return {
    method: "get",
    path: "/v1/agents/{agent_id}",
    description: {
      operationId: "showAgent",
      summary: "Show what an agent holds and waits for",
      description: "An agent that nobody has heard of holds nothing.",
      request: { params: z.object({ agent_id: agentIdField }) },
      responses: {
        ...jsonResponse(200, "Its locks and its waits.", agentStateSchema),
        ...refusalResponses(),
      },
    },
    answer: async (exchange) => {
      readQuery(exchange, noQuery);
      const agentId = pathArgument(exchange, "agent_id", { before: "/v1/agents/" });
      const state = await manager.getAgent(agentId);
      return jsonAnswer(200, agentStateToJson(state, manager.currentTime()));
    },
  };
}
