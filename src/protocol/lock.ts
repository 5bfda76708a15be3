/** Locks on the wire. */
import { z } from "zod";
import type { Lock } from "../lock-manager.js";
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
import { isoOf } from "./iso-time.js";

export const lockSchema = z
  .object({
    lock_id: lockIdField,
    resource_path: resourcePathField,
    agent_id: agentIdField,
    mode: modeField,
    scope: scopeField,
    fencing_token: z.int().meta({
      description: "A later conflicting lock always has a larger one. Hand it to whatever the lock protects.",
    }),
    acquired_at: timeField,
    expires_at: timeField,
    expires_in_ms: z.int().meta({ description: "From when the answer was made until `expires_at`." }),
    ttl_ms: z.int().meta({ description: "The ttl of the latest acquire or extension." }),
    reason: reasonField.optional(),
    metadata: metadataField.optional(),
  })
  .meta({ id: "Lock", description: "A lock as it stood when it was looked at. Times are store time." });

export type LockJson = z.output<typeof lockSchema>;

export const locksSchema = z.object({ locks: z.array(lockSchema) }).meta({ id: "Locks" });

export function lockToJson(lock: Lock, now: Date): LockJson {
  const { expiresAt, reason, metadata } = lock;
  const json: LockJson = {
    lock_id: lock.lockId,
    resource_path: lock.resourcePath,
    agent_id: lock.agentId,
    mode: lock.mode,
    scope: lock.scope,
    fencing_token: lock.fencingToken,
    acquired_at: isoOf(lock.acquiredAt),
    expires_at: isoOf(expiresAt),
    expires_in_ms: millisecondsUntil(expiresAt, now),
    ttl_ms: lock.ttlMs,
  };
  if (reason !== undefined) json.reason = reason;
  if (metadata !== undefined) json.metadata = metadata;
  return json;
}

export function lockFromJson(json: LockJson): Lock {
  const { reason, metadata } = json;
  return {
    lockId: json.lock_id,
    resourcePath: json.resource_path,
    agentId: json.agent_id,
    mode: json.mode,
    scope: json.scope,
    fencingToken: json.fencing_token,
    acquiredAt: new Date(json.acquired_at),
    expiresAt: new Date(json.expires_at),
    ttlMs: json.ttl_ms,
    ...(reason !== undefined && { reason }),
    ...(metadata !== undefined && { metadata }),
  };
}
