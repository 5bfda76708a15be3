/** Who asks. */
import { invalid } from "../errors.js";
import { agentHeader } from "../protocol/headers.js";
import type { Exchange } from "./exchange.js";

const visibleAscii = /^[ -~]+$/;

/** The agent that the header names, else `fromBody`. @throws LockError `invalid` when both are there and differ. */
export function agentOf(exchange: Exchange, fromBody?: string): string | undefined {
  const fromHeader = agentInHeader(exchange);
  if (fromHeader !== undefined && fromBody !== undefined && fromHeader !== fromBody)
    throw invalid("agent_id", fromBody, "the agent that X-Agent-ID names, or only one of the two");
  exchange.agentId = fromHeader ?? fromBody;
  return exchange.agentId;
}

/** @throws LockError `invalid` when nobody is named. */
export function requiredAgentOf(exchange: Exchange, fromBody?: string): string {
  const agentId = agentOf(exchange, fromBody);
  if (agentId === undefined) throw invalid("agent_id", undefined, "the agent, here or in X-Agent-ID");
  return agentId;
}

function agentInHeader({ incoming }: Exchange): string | undefined {
  const values = incoming.headersDistinct[agentHeader];
  if (values === undefined) return undefined;
  const [value = ""] = values;
  if (values.length > 1 || !visibleAscii.test(value))
    throw invalid("X-Agent-ID", value, "one agent in visible ASCII; any other goes into agent_id");
  return value;
}
