/** `GET /v1/locks`: the locks in force, in pages. */
import type { ListFilter } from "../../lock-manager.js";
import { durationOfText } from "../../protocol/durations.js";
import { listQuerySchema, lockPageSchema } from "../../protocol/list.js";
import { lockToJson } from "../../protocol/lock.js";
import { jsonAnswer } from "../answer.js";
import { readQuery } from "../request-query.js";
import { jsonResponse, type Route, refusalResponses } from "../route.js";
import type { Services } from "../services.js";

export function listRoute({ manager }: Services): Route {
  return {
    method: "get",
    path: "/v1/locks",
    description: {
      operationId: "listLocks",
      summary: "List locks",
      request: { query: listQuerySchema },
      responses: {
        ...jsonResponse(200, "A page of the locks in force.", lockPageSchema),
        ...refusalResponses(),
      },
    },
    answer: async (exchange) => {
      const query = readQuery(exchange, listQuerySchema);
      const filter: ListFilter = {
        ...(query.prefix !== undefined && { prefix: query.prefix }),
        ...(query.agent_id !== undefined && { agentId: query.agent_id }),
        ...(query.resource_type !== undefined && { resourceType: query.resource_type }),
        ...(query.mode !== undefined && { mode: query.mode }),
        ...(query.expiring_within !== undefined && { expiringWithin: durationOfText(query.expiring_within) }),
        ...(query.limit !== undefined && { limit: query.limit }),
        ...(query.cursor !== undefined && { cursor: query.cursor }),
      };
      const page = await manager.listLocks(filter);
      const now = manager.currentTime();
      return jsonAnswer(200, {
        locks: page.locks.map((lock) => lockToJson(lock, now)),
        next_cursor: page.nextCursor ?? null,
      });
    },
  };
}
