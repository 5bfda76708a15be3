/** `GET /v1/locks`: the locks in force, in pages. */
import { durationOfText } from "../../protocol/durations.js";
import { listFilter, listQuerySchema, lockPageSchema, lockPageToJson } from "../../protocol/list.js";
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
      const { expiring_within: within } = query;
      const page = await manager.listLocks(
        listFilter({ ...query, expiring_within: within === undefined ? within : durationOfText(within) }),
      );
      return jsonAnswer(200, lockPageToJson(page, manager.currentTime()));
    },
  };
}
