/** `GET /`: where to find what. */
import { jsonAnswer } from "../answer.js";
import type { Route } from "../route.js";
import type { Services } from "../services.js";

export function startPageRoute({ version }: Services): Route {
  const addresses = {
    name: "engram-lock",
    version,
    locks: "/v1/locks",
    docs: "/docs",
    openapi: "/openapi.json",
    metrics: "/metrics",
    health: "/healthz",
    ready: "/readyz",
  };
  return { method: "get", path: "/", answer: () => jsonAnswer(200, addresses) };
}
