/** One line for each request. Nothing in it is text of the caller but the agent, and that escaped and short. */
import type { LevelWithSilent, Logger } from "pino";
import type { Exchange } from "./exchange.js";

const shownAgentLength = 256;

/** What JSON leaves as it is though a terminal or a log viewer may act on it. */
const actsOnScreens =
  // oxlint-disable-next-line no-control-regex -- control characters are what this is about
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]|\p{Surrogate}/gu;

/** Asked every few seconds by machines. */
const quietRoutes = new Set(["/healthz", "/readyz", "/metrics"]);

/** nginx's number for a caller that hung up. */
const callerGone = 499;

export function logRequest(log: Logger, exchange: Exchange, delivered: boolean): void {
  const { route, requestId, agentId, elapsedMs } = exchange;
  const { method } = exchange.incoming;
  const status = delivered ? exchange.outgoing.statusCode : callerGone;
  log[levelOf(route, status)](
    {
      request_id: requestId,
      method: knownMethods.has(method ?? "") ? method : "other",
      route,
      status,
      ms: Math.round(elapsedMs * 10) / 10,
      ...(agentId !== undefined && { agent: forLog(agentId) }),
    },
    "request",
  );
}

const knownMethods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]);

function levelOf(route: string, status: number): LevelWithSilent {
  if (status >= 500) return "error";
  return quietRoutes.has(route) ? "debug" : "info";
}

function forLog(text: string): string {
  return text
    .slice(0, shownAgentLength)
    .replace(actsOnScreens, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
