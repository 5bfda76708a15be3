/** Who asks. */
import type { IncomingMessage } from "node:http";
import { invalid } from "../errors.js";
import { agentHeader } from "../protocol/headers.js";
import type { Exchange } from "./exchange.js";

const visibleAscii = /^[ -~]+$/;

/** The agent that the header names, else `fromBody`. @throws LockError `invalid` when both are there and differ. */
export function agentOf(exchange: Exchange, fromBody?: string): string | undefined {
  exchange.agentId = theAgent(agentInHeader(exchange.incoming), fromBody);
  return exchange.agentId;
}

/** @throws LockError `invalid` when nobody is named. */
export function requiredAgentOf(exchange: Exchange, fromBody?: string): string {
  return required(agentOf(exchange, fromBody));
}

/** @throws LockError `invalid` when both are there and differ. */
export function theAgent(fromHeader: string | undefined, fromBody: string | undefined): string | undefined {
  if (fromHeader !== undefined && fromBody !== undefined && fromHeader !== fromBody)
    throw invalid("agent_id", fromBody, "the agent that X-Agent-ID names, or only one of the two");
  return fromHeader ?? fromBody;
}

/** @throws LockError `invalid` when nobody is named. */
export function required(agentId: string | undefined): string {
  if (agentId === undefined) throw invalid("agent_id", undefined, "the agent, here or in X-Agent-ID");
  return agentId;
}

/** @throws LockError `invalid` for what is no agent in visible ASCII. */
export function agentInHeader(incoming: IncomingMessage): string | undefined {
  const values = incoming.headersDistinct[agentHeader];
  if (values === undefined) return undefined;
  const [value = ""] = values;
  if (values.length > 1 || !visibleAscii.test(value))
    throw invalid("X-Agent-ID", value, "one agent in visible ASCII; any other goes into agent_id");
  return value;
}
