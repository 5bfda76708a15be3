/** `DELETE /v1/agents/{agent_id}/locks`: ends everything an agent holds, for whoever cleans up after it. */
import { z } from "zod";
import { invalid, LockError } from "../../errors.js";
import { releaseAgentQuerySchema } from "../../protocol/agent-state.js";
import { agentIdField } from "../../protocol/fields.js";
import { lockToJson } from "../../protocol/lock.js";
import { releasedSchema } from "../../protocol/release.js";
import { jsonAnswer } from "../answer.js";
import { allOf } from "../each-lock.js";
import { pathArgument } from "../path-argument.js";
import { agentOf } from "../request-agent.js";
import { readQuery } from "../request-query.js";
import { jsonResponse, type Route, refusalResponses } from "../route.js";
import type { Services } from "../services.js";

export function releaseAgentRoute({ manager }: Services): Route {
  return {
    method: "delete",
    path: "/v1/agents/{agent_id}/locks",
    description: {
      operationId: "releaseAgent",
      summary: "End everything an agent holds",
      request: { params: z.object({ agent_id: agentIdField }), query: releaseAgentQuerySchema },
      responses: {
        ...jsonResponse(200, "The locks that were ended.", releasedSchema),
        ...refusalResponses(),
      },
    },
    answer: async (exchange) => {
      const agentId = pathArgument(exchange, "agent_id", { before: "/v1/agents/", after: "/locks" });
      const { reason, force } = readQuery(exchange, releaseAgentQuerySchema);
      if (reason === undefined || reason === "")
        throw invalid("reason", reason, "why, for the agent to be told");
      const by = agentOf(exchange);
      if (by !== agentId && force !== "true") throw anotherAgents(agentId, by);
      const locks = await manager.getAgentLocks(agentId);
      const ended = await allOf(locks, ({ resourcePath, lockId }) =>
        manager.forceRelease(resourcePath, { lockId, reason, ...(by !== undefined && { by }) }),
      );
      const now = manager.currentTime();
      return jsonAnswer(200, {
        released: ended.map((each) => each.length > 0),
        locks: ended.flat().map((lock) => lockToJson(lock, now)),
      });
    },
  };
}

function anotherAgents(agentId: string, by: string | undefined): LockError {
  const who = by === undefined ? "a caller who does not say who it is" : JSON.stringify(by);
  return new LockError(
    "not_holder",
    `Cannot release the locks of ${JSON.stringify(agentId)}: they are not those of ${who}.`,
    {
      agentId,
      next: [
        "If its holder is gone for good, say so: force=true.",
        "Otherwise wait for the locks to expire.",
      ],
    },
  );
}
