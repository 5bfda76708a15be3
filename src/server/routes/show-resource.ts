/** `GET /v1/resources/{path...}`: holders and queue of a path, at once or when it is free. */
import { z } from "zod";
import type { ResourceState } from "../../lock-manager.js";
import { durationOfText } from "../../protocol/durations.js";
import { resourcePathField } from "../../protocol/fields.js";
import {
  resourceQuerySchema,
  resourceStateSchema,
  resourceStateToJson,
} from "../../protocol/resource-state.js";
import { jsonAnswer } from "../answer.js";
import type { Exchange } from "../exchange.js";
import { notFound } from "../http-refusal.js";
import { pathArgument } from "../path-argument.js";
import { readQuery } from "../request-query.js";
import { jsonResponse, type Route, refusalResponses } from "../route.js";
import type { Services } from "../services.js";
import { untilFree } from "../until-free.js";
import { waitTime } from "../wait-time.js";

const base = "/v1/resources/";
const usualWait = "30s";

export function showResourceRoute(services: Services): Route {
  return {
    method: "get",
    path: `${base}{resource_path}`,
    pattern: `${base}*`,
    description: {
      operationId: "showResource",
      summary: "Show holders and queue of a resource",
      description:
        "The path may be given with plain or percent-encoded slashes; `/v1/resources/` is the root. With `wait_for=free` the answer comes once nobody holds the path, or after the timeout.",
      request: { params: z.object({ resource_path: resourcePathField }), query: resourceQuerySchema },
      responses: {
        ...jsonResponse(200, "The state of the path, free or held.", resourceStateSchema),
        ...refusalResponses(429),
      },
    },
    answer: async (exchange) => {
      const { manager } = services;
      const state = await look(services, exchange);
      return jsonAnswer(200, resourceStateToJson(state, manager.currentTime()));
    },
  };
}

function look(services: Services, exchange: Exchange): Promise<ResourceState> {
  if (!exchange.rawPath.startsWith(base)) throw notFound();
  const path = pathArgument(exchange, "resource_path", { before: base }) || "/";
  const query = readQuery(exchange, resourceQuerySchema);
  const waitMs = waitTime(durationOfText(query.timeout ?? usualWait));
  if (query.wait_for === undefined || waitMs === 0) return services.manager.getResource(path);
  return untilFree(services, exchange, { path, waitMs });
}
