/** Sees a lock being lost while there is still time to do something about it. */

import type { Clock } from "../../clock/clock.js";
import { LockError } from "../../errors.js";
import type { AcquiredLock, LockManager } from "../../lock-manager.js";

export interface Loss {
  readonly error: unknown;
  /** How long nobody else can be granted the lock: 0 when it is gone already. */
  readonly safeForMs: number;
}

/**
 * Calls `onLoss` once: when a lock is lost, or when one has not been extended and expires within `marginMs`. The manager extends at a third of the
 * ttl, and an expiry in store time is never earlier than the ttl counted from the request that set it, so what is left of it by
 * `currentTime` is time in which nobody else holds the lock.
 *
 * @returns what ends the watch.
 */
export function guardLocks(
  parts: { readonly manager: LockManager; readonly clock: Clock },
  locks: readonly AcquiredLock[],
  marginMs: number,
  onLoss: (loss: Loss) => void,
): () => void {
  const { manager, clock } = parts;
  let watching = true;
  let cancel = (): void => {};
  const report = (loss: Loss): void => {
    if (!watching) return;
    stop();
    onLoss(loss);
  };
  const leftMs = (): number =>
    Math.min(...locks.map((lock) => lock.expiresAt.getTime())) - manager.currentTime().getTime();
  const look = (): void => {
    const left = leftMs();
    if (left > marginMs) cancel = clock.after(left - marginMs, look, { background: true });
    else report({ error: notExtended(locks, left), safeForMs: Math.max(0, left) });
  };
  const listeners = locks.map((lock) => {
    const onAbort = (): void => report({ error: lock.signal.reason, safeForMs: 0 });
    lock.signal.addEventListener("abort", onAbort, { once: true });
    return () => lock.signal.removeEventListener("abort", onAbort);
  });
  const stop = (): void => {
    watching = false;
    cancel();
    for (const remove of listeners) remove();
  };

  const gone = locks.find((lock) => lock.signal.aborted);
  if (gone === undefined) look();
  else report({ error: gone.signal.reason, safeForMs: 0 });
  return stop;
}

function notExtended(locks: readonly AcquiredLock[], leftMs: number): LockError {
  const first = locks.toSorted((a, b) => a.expiresAt.getTime() - b.expiresAt.getTime())[0];
  const state = leftMs > 0 ? `it expires in ${Math.round(leftMs)} ms` : "it may have expired";
  const message = `Could not extend "${first?.resourcePath ?? ""}" in time: ${state}.`;
  return new LockError("lost", message, {
    ...(first && { resourcePath: first.resourcePath, lockId: first.lockId, agentId: first.agentId }),
  });
}
