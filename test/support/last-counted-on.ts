import type { AcquiredLock } from "../../src/lock-manager.js";

/**
 * Looks at a lock again and again until it is lost. Resolves with the wall-clock time of the last look at which its holder could count on it, so that
 * a process that is slow to look proves nothing wrong.
 */
export async function lastCountedOn(lock: AcquiredLock): Promise<number> {
  const told = new Promise<void>((resolve) => {
    lock.signal.addEventListener("abort", () => resolve(), { once: true });
  });
  let last = 0;
  for (;;) {
    const now = Date.now();
    if (lock.signal.aborted) break;
    last = now;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await told;
  return last;
}
