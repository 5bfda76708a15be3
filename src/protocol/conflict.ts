/** On the wire: somebody whose lock or place in the queue stands in the way. */
import { z } from "zod";
import type { Conflict } from "../errors.js";
import {
  agentIdField,
  millisecondsUntil,
  modeField,
  reasonField,
  resourcePathField,
  scopeField,
  timeField,
} from "./fields.js";

export const conflictSchema = z
  .object({
    resource_path: resourcePathField,
    agent_id: agentIdField,
    mode: modeField,
    scope: scopeField,
    standing: z
      .enum(["holder", "waiter"])
      .meta({ description: "A holder has the lock; a waiter is ahead in the queue." }),
    reason: reasonField.optional(),
    since: timeField.optional().meta({ description: "When a holder acquired, or a waiter began to wait." }),
    since_ms: z.int().optional().meta({ description: "From `since` until the answer was made." }),
    expires_at: timeField.optional(),
    expires_in_ms: z.int().optional(),
  })
  .meta({ id: "Conflict", description: "Somebody whose lock or place in the queue stands in the way." });

type ConflictJson = z.output<typeof conflictSchema>;

export function conflictToJson(conflict: Conflict, now: Date): ConflictJson {
  const { since, expiresAt } = conflict;
  return {
    resource_path: conflict.resourcePath,
    agent_id: conflict.agentId,
    mode: conflict.mode,
    scope: conflict.scope,
    standing: conflict.standing,
    ...(conflict.reason !== undefined && { reason: conflict.reason }),
    ...(since !== undefined && { since: since.toISOString(), since_ms: -millisecondsUntil(since, now) }),
    ...(expiresAt !== undefined && {
      expires_at: expiresAt.toISOString(),
      expires_in_ms: millisecondsUntil(expiresAt, now),
    }),
  };
}

export function conflictFromJson(json: ConflictJson): Conflict {
  return {
    resourcePath: json.resource_path,
    agentId: json.agent_id,
    mode: json.mode,
    scope: json.scope,
    standing: json.standing,
    ...(json.reason !== undefined && { reason: json.reason }),
    ...(json.since !== undefined && { since: new Date(json.since) }),
    ...(json.expires_at !== undefined && { expiresAt: new Date(json.expires_at) }),
  };
}
