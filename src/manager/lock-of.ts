/** From what the store says to what callers see. */
import type { Holder, WaitRecord } from "../core/records.js";
import type { Lock, Waiter } from "../lock-manager.js";

/** `revision`: of the entry or change that carries the holder, for a token that was not written out yet. */
export function lockOf(path: string, holder: Holder, revision: number): Lock {
  const { lockId, agentId, mode, scope, acquiredAt, expiresAt, ttlMs, reason, metadata } = holder;
  return {
    lockId,
    resourcePath: path,
    agentId,
    mode,
    scope,
    fencingToken: tokenOf(holder, revision),
    acquiredAt: new Date(acquiredAt),
    expiresAt: new Date(expiresAt),
    ttlMs,
    ...(reason === undefined ? {} : { reason }),
    ...(metadata === undefined ? {} : { metadata }),
  };
}

export function tokenOf(holder: Holder, revision: number): number {
  return holder.token === 0 ? revision : holder.token;
}

export function waiterOf(path: string, record: WaitRecord): Waiter {
  const { lockId, agentId, mode, scope, since, until, reason, metadata } = record;
  return {
    lockId,
    resourcePath: path,
    agentId,
    mode,
    scope,
    since: new Date(since),
    ...(until === null ? {} : { until: new Date(until) }),
    ...(reason === undefined ? {} : { reason }),
    ...(metadata === undefined ? {} : { metadata }),
  };
}
