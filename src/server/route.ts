/** What a route is: its address, its description for OpenAPI, and what it answers. */
import type { RouteConfig } from "@hono/zod-openapi";
import type { z } from "zod";
import { problemContentType, problemSchema } from "../protocol/problem.js";
import type { Answer } from "./answer.js";
import type { Exchange } from "./exchange.js";

type Responses = RouteConfig["responses"];

export interface Route {
  readonly method: "get" | "post" | "delete";
  /** With parameters as OpenAPI writes them: `/v1/agents/{agent_id}`. */
  readonly path: string;
  /** The pattern that the router wants, where it is not the same. */
  readonly pattern?: string;
  /** Absent for what is no part of the API. */
  readonly description?: RouteDescription;
  /** Throws what it refuses. */
  readonly answer: (exchange: Exchange) => Answer | Promise<Answer>;
}

export interface RouteDescription {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly request?: NonNullable<RouteConfig["request"]>;
  readonly responses: Responses;
}

/** @param example is accepted as it is; one made of all fields would be refused, because some exclude each other. */
export function jsonBody(
  schema: z.ZodType,
  example: object,
): NonNullable<NonNullable<RouteConfig["request"]>["body"]> {
  return { required: true, content: { "application/json": { schema, example } } };
}

export function jsonResponse(status: number, description: string, schema: z.ZodType): Responses {
  return { [status]: { description, content: { "application/json": { schema } } } };
}

const refusals: ReadonlyMap<number, string> = new Map([
  [400, "The call is invalid."],
  [403, "Not the caller's to do, or from a `Host` or `Origin` that is not allowed."],
  [404, "Nothing is at this address."],
  [408, "The request took too long to arrive."],
  [409, "Held, at a limit, or a deadlock."],
  [410, "The lock is lost."],
  [413, "The body is too large."],
  [415, "The body is not JSON."],
  [422, "The `Idempotency-Key` came with another request."],
  [429, "Too many requests wait on this server."],
  [499, "The call was aborted."],
  [500, "The server failed in a way it was not made for."],
  [503, "The store is unavailable, the outcome is unknown, or the server is shutting down."],
]);

/** The refusals that every route has, and `more`. */
export function refusalResponses(...more: number[]): Responses {
  const responses: Responses = {};
  for (const status of [400, 403, 408, ...more, 500, 503]) {
    responses[status] = {
      description: refusals.get(status) ?? "",
      content: { [problemContentType]: { schema: problemSchema } },
    };
  }
  return responses;
}
