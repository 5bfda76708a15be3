/** Work that is done under a lock. */
import { LockError } from "./errors.js";
import type { AcquiredLock, Lock } from "./lock-manager.js";

/**
 * Does the work and releases the lock whatever happens. The work's own error wins; else a lock that was lost meanwhile is one. A release that fails
 * is told of by an event, and the lock then ends with its ttl.
 *
 * @param isReleased by this very handle.
 */
export async function workUnder<T>(
  lock: AcquiredLock,
  isReleased: (lock: AcquiredLock) => boolean,
  work: (lock: AcquiredLock) => T | Promise<T>,
): Promise<T> {
  const { signal } = lock;
  let result: T;
  try {
    result = await work(lock);
  } catch (error) {
    await releaseQuietly(lock);
    throw error;
  }
  // The work may give the lock back by itself, early.
  if (isReleased(lock)) return result;
  const loss: unknown = signal.reason;
  if (await releaseQuietly(lock)) return result;
  throw loss instanceof LockError ? loss : goneError(lock);
}

async function releaseQuietly(lock: AcquiredLock): Promise<boolean> {
  try {
    return await lock.release();
  } catch {
    return true;
  }
}

/** The lock of some work turned out to be gone when the work was done. */
function goneError(lock: Lock): LockError {
  const { resourcePath, agentId, lockId } = lock;
  return new LockError(
    "lost",
    `The lock on ${JSON.stringify(resourcePath)} was lost while the work was under way.`,
    {
      resourcePath,
      agentId,
      lockId,
      next: ["Check what was done meanwhile.", "Acquire again, and repeat the work if need be."],
    },
  );
}
