/** Claims in the queue on the wire. */
import { z } from "zod";
import type { Waiter } from "../lock-manager.js";
import {
  agentIdField,
  lockIdField,
  metadataField,
  millisecondsUntil,
  modeField,
  reasonField,
  resourcePathField,
  scopeField,
  timeField,
} from "./fields.js";

export const waiterSchema = z
  .object({
    lock_id: lockIdField,
    resource_path: resourcePathField,
    agent_id: agentIdField,
    mode: modeField,
    scope: scopeField,
    since: timeField,
    waited_ms: z.int().meta({ description: "From `since` until the answer was made." }),
    until: timeField.optional().meta({ description: "When it gives up; absent when it waits for ever." }),
    gives_up_in_ms: z.int().optional(),
    reason: reasonField.optional(),
    metadata: metadataField.optional(),
  })
  .meta({ id: "Waiter", description: "A claim in the queue." });

type WaiterJson = z.output<typeof waiterSchema>;

export function waiterToJson(waiter: Waiter, now: Date): WaiterJson {
  return {
    lock_id: waiter.lockId,
    resource_path: waiter.resourcePath,
    agent_id: waiter.agentId,
    mode: waiter.mode,
    scope: waiter.scope,
    since: waiter.since.toISOString(),
    waited_ms: -millisecondsUntil(waiter.since, now),
    ...(waiter.until !== undefined && {
      until: waiter.until.toISOString(),
      gives_up_in_ms: millisecondsUntil(waiter.until, now),
    }),
    ...(waiter.reason !== undefined && { reason: waiter.reason }),
    ...(waiter.metadata !== undefined && { metadata: waiter.metadata }),
  };
}

export function waiterFromJson(json: WaiterJson): Waiter {
  return {
    lockId: json.lock_id,
    resourcePath: json.resource_path,
    agentId: json.agent_id,
    mode: json.mode,
    scope: json.scope,
    since: new Date(json.since),
    ...(json.until !== undefined && { until: new Date(json.until) }),
    ...(json.reason !== undefined && { reason: json.reason }),
    ...(json.metadata !== undefined && { metadata: json.metadata }),
  };
}
