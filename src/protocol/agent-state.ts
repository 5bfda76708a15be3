/** What one agent holds and waits for, on the wire. */
import { z } from "zod";
import type { AgentState } from "../lock-manager.js";
import { agentIdField, countField } from "./fields.js";
import { lockFromJson, lockSchema, lockToJson } from "./lock.js";
import { waiterFromJson, waiterSchema, waiterToJson } from "./waiter.js";

export const agentStateSchema = z
  .object({
    agent_id: agentIdField,
    locks: z.array(lockSchema),
    waiting: z.array(waiterSchema),
    limit: countField.meta({ description: "The most locks it may hold." }),
  })
  .meta({ id: "AgentState" });

type AgentStateJson = z.output<typeof agentStateSchema>;

export const releaseAgentQuerySchema = z.strictObject({
  reason: z
    .string()
    .optional()
    .meta({ description: "Why; the holder is told. Needed.", examples: ["its machine is gone"] }),
  force: z
    .enum(["true", "false"], { error: '"true" or "false"' })
    .optional()
    .meta({ description: "Needed unless `X-Agent-ID` names this very agent." }),
});

export function agentStateToJson(state: AgentState, now: Date): AgentStateJson {
  return {
    agent_id: state.agentId,
    locks: state.locks.map((lock) => lockToJson(lock, now)),
    waiting: state.waiting.map((waiter) => waiterToJson(waiter, now)),
    limit: state.limit,
  };
}

export function agentStateFromJson(json: AgentStateJson): AgentState {
  return {
    agentId: json.agent_id,
    locks: json.locks.map(lockFromJson),
    waiting: json.waiting.map(waiterFromJson),
    limit: json.limit,
  };
}
