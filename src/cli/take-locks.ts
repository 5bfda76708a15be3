/** Acquires one path or several, telling on stderr who is waited for. */
import { hostname } from "node:os";
import type { AcquiredLock, LockManager } from "../lock-manager.js";
import type { Call } from "./call.js";
import { watchWaiting } from "./waiting-progress.js";
import type { Taken, Wish } from "./wish.js";

/** Rejects as `acquireLock` does; with the signal's reason when it aborts, and then holds nothing. */
export async function takeLocks(
  call: Call,
  manager: LockManager,
  wish: Wish,
  signal: AbortSignal,
): Promise<Taken> {
  const { clock } = call.wiring;
  const before = await manager.getAgentLocks(wish.agentId, { signal });
  const held = new Set(before.map((lock) => lock.lockId));
  const started = clock.monotonic();
  const progress = watchWaiting(call, manager, wish);
  let locks: readonly AcquiredLock[];
  try {
    locks = await acquire(manager, wish, signal);
  } finally {
    progress.stop();
  }
  const joined = new Set(locks.map((lock) => lock.lockId).filter((lockId) => held.has(lockId)));
  const taken = { locks, joined, waitedMs: Math.round(clock.monotonic() - started) };
  if (signal.aborted) {
    await giveBack(taken);
    throw signal.reason;
  }
  progress.tellGot(taken);
  return taken;
}

/** Releases what was taken and was not held before. Answers whether all of it was still in force. */
export async function giveBack({ locks, joined }: Taken): Promise<boolean> {
  const own = locks.filter((lock) => !joined.has(lock.lockId));
  const released = await Promise.all(own.map((lock) => lock.release()));
  return released.every(Boolean);
}

async function acquire(
  manager: LockManager,
  wish: Wish,
  signal: AbortSignal,
): Promise<readonly AcquiredLock[]> {
  const { paths, agentId, timeoutMs, ttl, mode, scope, reason, autoExtend } = wish;
  const options = {
    timeout: timeoutMs,
    mode,
    scope,
    autoExtend,
    signal,
    metadata: { host: hostname() },
    ...(ttl !== undefined && { ttl }),
    ...(reason !== undefined && { reason }),
  };
  const [only, ...others] = paths;
  if (only !== undefined && others.length === 0) return [await manager.acquireLock(only, agentId, options)];
  return manager.acquireMultipleLocks(paths, agentId, options);
}
