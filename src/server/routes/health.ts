/** `GET /healthz`: the process answers. It says nothing about the store, so that a restart is not tried for what it cannot cure. */
import { textAnswer } from "../answer.js";
import { type Route, refusalResponses } from "../route.js";

export function healthRoute(): Route {
  return {
    method: "get",
    path: "/healthz",
    description: {
      operationId: "health",
      summary: "Whether the process answers",
      responses: {
        200: { description: "It does.", content: { "text/plain": {} } },
        ...refusalResponses(),
      },
    },
    answer: () => textAnswer(200, "alive\n"),
  };
}
