/** What an extension on the wire asks of the lock manager. */
import type { Lock, LockManager } from "../lock-manager.js";
import { eitherDuration } from "../protocol/durations.js";
import type { ExtendRequest } from "../protocol/extend.js";
import { allOf } from "./each-lock.js";

/** Each by itself: when one is refused the others are extended all the same. @throws LockError the first refusal. */
export function extendLocks(
  manager: LockManager,
  agentId: string,
  { locks, ttl, ttl_ms }: ExtendRequest,
): Promise<Lock[]> {
  const duration = eitherDuration("ttl", ttl, ttl_ms);
  return allOf(locks, ({ resource_path, lock_id }) =>
    manager.extendLock(resource_path, agentId, lock_id, duration),
  );
}
