/**
 * Locks and refusals as JSON, as the HTTP API has them: times in RFC 3339 and relative to store time. Written out here because loading the
 * schemas would double the time that a command takes to start; a test compares the two.
 */
import { type Conflict, LockError } from "../errors.js";
import type { Lock, Waiter } from "../lock-manager.js";
import { CommandError, Interrupted } from "./command-error.js";
import { exitCodes } from "./exit-codes.js";

export function lockToJson(lock: Lock, now: Date): Record<string, unknown> {
  return {
    lock_id: lock.lockId,
    resource_path: lock.resourcePath,
    agent_id: lock.agentId,
    mode: lock.mode,
    scope: lock.scope,
    fencing_token: lock.fencingToken,
    acquired_at: lock.acquiredAt.toISOString(),
    expires_at: lock.expiresAt.toISOString(),
    expires_in_ms: lock.expiresAt.getTime() - now.getTime(),
    ttl_ms: lock.ttlMs,
    reason: lock.reason,
    metadata: lock.metadata,
  };
}

export function waiterToJson(waiter: Waiter, now: Date): Record<string, unknown> {
  return {
    lock_id: waiter.lockId,
    resource_path: waiter.resourcePath,
    agent_id: waiter.agentId,
    mode: waiter.mode,
    scope: waiter.scope,
    since: waiter.since.toISOString(),
    waited_ms: now.getTime() - waiter.since.getTime(),
    until: waiter.until?.toISOString(),
    gives_up_in_ms: waiter.until && waiter.until.getTime() - now.getTime(),
    reason: waiter.reason,
    metadata: waiter.metadata,
  };
}

export function conflictToJson(conflict: Conflict, now: Date): Record<string, unknown> {
  return {
    resource_path: conflict.resourcePath,
    agent_id: conflict.agentId,
    mode: conflict.mode,
    scope: conflict.scope,
    standing: conflict.standing,
    reason: conflict.reason,
    since: conflict.since?.toISOString(),
    since_ms: conflict.since && now.getTime() - conflict.since.getTime(),
    expires_at: conflict.expiresAt?.toISOString(),
    expires_in_ms: conflict.expiresAt && conflict.expiresAt.getTime() - now.getTime(),
  };
}

export function errorToJson(error: unknown, now: Date): Record<string, unknown> {
  if (error instanceof LockError) return lockErrorToJson(error, now);
  if (error instanceof CommandError || error instanceof Interrupted) {
    return {
      code: error.code,
      detail: error.message,
      exit_code: error.exitCode,
      retryable: false,
      ...(error instanceof CommandError && error.next.length > 0 && { next: error.next }),
    };
  }
  const detail = error instanceof Error ? error.message : String(error);
  return { code: "bug", detail, exit_code: exitCodes.bug, retryable: false };
}

function lockErrorToJson(error: LockError, now: Date): Record<string, unknown> {
  const { facts } = error;
  return {
    code: error.code,
    detail: error.message,
    exit_code: error.exitCode,
    retryable: error.retryable,
    resource_path: facts.resourcePath,
    agent_id: facts.agentId,
    lock_id: facts.lockId,
    field: facts.field,
    value: facts.value,
    allowed: facts.allowed,
    conflicts: facts.conflicts?.map((conflict) => conflictToJson(conflict, now)),
    queue_length: facts.queueLength,
    waited_ms: facts.waitedMs && Math.round(facts.waitedMs),
    limit: facts.limit,
    oldest_locks: facts.oldestLocks?.map(({ resourcePath, lockId, expiresAt }) => ({
      resource_path: resourcePath,
      lock_id: lockId,
      expires_at: expiresAt.toISOString(),
      expires_in_ms: expiresAt.getTime() - now.getTime(),
    })),
    cycle: facts.cycle?.map(({ agentId, waitsFor, blockedBy }) => ({
      agent_id: agentId,
      waits_for: waitsFor,
      blocked_by: blockedBy,
    })),
    next: facts.next,
  };
}
