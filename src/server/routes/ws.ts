/** `GET /v1/ws` by a caller that asks for no WebSocket. One that does never comes this way. */
import { upgradeRequired } from "../http-refusal.js";
import { type Route, refusalResponses } from "../route.js";
import { socketPath } from "../wire/upgrade.js";

export function wsRoute(): Route {
  return {
    method: "get",
    path: socketPath,
    description: {
      operationId: "openWebSocket",
      summary: "Talk over a WebSocket",
      description:
        "Subprotocol `engram-lock.v1`. The same calls as over HTTP, many on one connection, and news of lost locks and events. See docs/protocol.md.",
      responses: { 101: { description: "From here on it is a WebSocket." }, ...refusalResponses(426, 503) },
    },
    answer: () => {
      throw upgradeRequired();
    },
  };
}
