/** `GET /v1/stats`: the figures of the whole store. */
import { z } from "zod";
import { statsSchema, statsToJson } from "../../protocol/stats.js";
import { jsonAnswer } from "../answer.js";
import { readQuery } from "../request-query.js";
import { jsonResponse, type Route, refusalResponses } from "../route.js";
import type { Services } from "../services.js";

const noQuery = z.strictObject({});

export function statsRoute({ manager }: Services): Route {
  return {
    method: "get",
    path: "/v1/stats",
    description: {
      operationId: "showStats",
      summary: "Count locks, waiters and agents",
      responses: { ...jsonResponse(200, "The figures.", statsSchema), ...refusalResponses() },
    },
    answer: async (exchange) => {
      readQuery(exchange, noQuery);
      const stats = await manager.getStats();
      return jsonAnswer(200, statsToJson(stats, manager.currentTime()));
    },
  };
}
