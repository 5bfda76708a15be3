/** The routes, put together, and what is answered where there is none. */
import { OpenAPIHono } from "@hono/zod-openapi";
import type { Answer } from "./answer.js";
import type { Exchange } from "./exchange.js";
import { methodNotAllowed, notFound } from "./http-refusal.js";
import type { Route } from "./route.js";
import { acquireRoute } from "./routes/acquire.js";
import { checkRoute } from "./routes/check.js";
import { docsRoutes } from "./routes/docs.js";
import { eventsRoute } from "./routes/events.js";
import { extendRoute } from "./routes/extend.js";
import { healthRoute } from "./routes/health.js";
import { listRoute } from "./routes/list.js";
import { metricsRoute } from "./routes/metrics.js";
import { openApiRoute } from "./routes/openapi.js";
import { readyRoute } from "./routes/ready.js";
import { releaseRoute } from "./routes/release.js";
import { releaseAgentRoute } from "./routes/release-agent.js";
import { showAgentRoute } from "./routes/show-agent.js";
import { showResourceRoute } from "./routes/show-resource.js";
import { startPageRoute } from "./routes/start-page.js";
import { statsRoute } from "./routes/stats.js";
import { wsRoute } from "./routes/ws.js";
import type { Services } from "./services.js";

interface Env {
  readonly Bindings: { readonly exchange: Exchange };
}

export type App = (request: Request, exchange: Exchange) => Response | Promise<Response>;

/** @param refuse makes an answer of whatever was thrown. */
export function createApp(
  services: Services,
  finish: {
    readonly complete: (exchange: Exchange, answer: Answer) => Answer;
    readonly refuse: (exchange: Exchange, error: unknown) => Answer;
  },
): App {
  // Strict: with and without a trailing slash are two addresses, except for resources, whose paths are their own business.
  const app = new OpenAPIHono<Env>({ strict: true });
  const routes = [
    acquireRoute(services),
    listRoute(services),
    extendRoute(services),
    releaseRoute(services),
    checkRoute(services),
    showResourceRoute(services),
    showAgentRoute(services),
    releaseAgentRoute(services),
    statsRoute(services),
    eventsRoute(services),
    wsRoute(),
    healthRoute(),
    readyRoute(services),
    metricsRoute(services),
    openApiRoute(() => describe(app, services.version)),
    ...docsRoutes(services),
    startPageRoute(services),
  ];
  for (const route of routes) {
    if (route.description !== undefined) {
      const { method, path, description } = route;
      app.openAPIRegistry.registerPath({ method, path, tags: [groupOf(path)], ...description });
    }
    app.on(route.method, patternOf(route), async ({ env: { exchange } }) => {
      exchange.route = route.path;
      return toResponse(finish.complete(exchange, await route.answer(exchange)));
    });
  }
  app.notFound(({ req, env: { exchange } }) => {
    const error = noRoute(app, req.path);
    return toResponse(finish.refuse(exchange, error));
  });
  app.onError((error, { env: { exchange } }) => toResponse(finish.refuse(exchange, error)));
  return (request, exchange) => app.fetch(request, { exchange });
}

/** Under which heading the description lists it. */
function groupOf(path: string): string {
  if (path.startsWith("/v1/locks")) return "Locks";
  if (path === "/v1/events") return "Events";
  return path.startsWith("/v1/") ? "Resources and agents" : "Server";
}

function patternOf({ path, pattern }: Route): string {
  return pattern ?? path.replaceAll(/\{(\w+)\}/g, ":$1");
}

function noRoute(app: OpenAPIHono<Env>, path: string): Error {
  const methods = ["GET", "POST", "DELETE"].filter((method) => app.router.match(method, path)[0].length > 0);
  if (methods.length === 0) return notFound();
  return methodNotAllowed(methods.includes("GET") ? ["HEAD", ...methods] : methods);
}

function toResponse({ status, headers, body }: Answer): Response {
  return new Response(body, { status, headers });
}

function describe(app: OpenAPIHono<Env>, version: string): object {
  return app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "engram-lock",
      version,
      description:
        "Locks for fleets of agents. Every time has a relative twin in milliseconds; use that if clocks may differ. Every refusal is a problem (RFC 9457) with a `code`.",
    },
  });
}
