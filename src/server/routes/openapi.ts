/** `GET /openapi.json`: the description of the API, made of the schemas that check requests. */
import { type Answer, jsonAnswer } from "../answer.js";
import type { Route } from "../route.js";

/** @param describe makes the document; called once, when it is first asked for. */
export function openApiRoute(describe: () => object): Route {
  let answer: Answer | undefined;
  return {
    method: "get",
    path: "/openapi.json",
    answer: () => {
      answer ??= jsonAnswer(200, describe());
      return answer;
    },
  };
}
