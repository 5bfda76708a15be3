/** From a checked acquire to handles on its locks, and work done under one. */
import type { Request } from "../core/claim.js";
import { LockError } from "../errors.js";
import type { AcquiredLock } from "../lock-manager.js";
import { AcquireCall } from "./acquire-call.js";
import type { Parts } from "./assembly.js";
import { Handle } from "./handle.js";
import type { AcquireInput } from "./inputs.js";
import { throwIfAborted } from "./reader.js";
import { goneError } from "./refusals.js";

/** Calls back once: with a handle on each lock in the order asked, or with the refusal. */
export function startAcquire(
  { services, held, keeper }: Parts,
  input: AcquireInput,
  resolve: (locks: AcquiredLock[]) => void,
  reject: (error: unknown) => void,
): void {
  throwIfAborted(input.signal);
  const claims = input.resources.map((resource, index) => ({
    resource,
    lockId: services.newId(),
    ttlMs: input.ttlMs[index] ?? 0,
  }));
  const request: Request = {
    requestId: claims[0]?.lockId ?? "",
    agentId: input.agentId,
    mode: input.mode,
    scope: input.scope,
    claims,
    reason: input.reason,
    metadata: input.metadata,
  };
  const terms = { timeoutMs: input.timeoutMs, signal: input.signal };
  const call = new AcquireCall(services, request, terms, {
    granted: (granted, revision) =>
      resolve(
        claims.map(({ resource }, index) => {
          const holder = granted[index]?.holder;
          if (holder === undefined) throw new Error("Every claim is granted, or none.");
          return new Handle(held.add(resource, holder, revision, input.autoExtend), keeper);
        }),
      ),
    refused: reject,
  });
  call.start();
}

/**
 * Does the work and releases the lock whatever happens. The work's own error wins; else a lock that was lost meanwhile is one. A release that fails
 * is told of by an event, and the lock then ends with its ttl.
 */
export async function workUnder<T>(
  lock: AcquiredLock,
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
  if (lock instanceof Handle && lock.isReleased) return result;
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
