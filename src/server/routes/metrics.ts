/** `GET /metrics`: Prometheus text exposition. */
import { textAnswer } from "../answer.js";
import { type Route, refusalResponses } from "../route.js";
import type { Services } from "../services.js";

export function metricsRoute({ manager }: Services): Route {
  return {
    method: "get",
    path: "/metrics",
    description: {
      operationId: "metrics",
      summary: "Metrics for Prometheus",
      responses: {
        200: { description: "Text exposition.", content: { "text/plain": {} } },
        ...refusalResponses(),
      },
    },
    answer: async () => textAnswer(200, await manager.metrics(), "text/plain; version=0.0.4; charset=utf-8"),
  };
}
