/** What an acquire on the wire asks of the lock manager. */
import type { AcquireOptions } from "../lock-manager.js";
import type { AcquireRequest } from "../protocol/acquire.js";
import { eitherDuration } from "../protocol/durations.js";
import { forEver } from "../protocol/wire.js";
import { waitTime } from "./wait-time.js";

type Terms = Omit<AcquireRequest, "resource_path" | "resource_paths">;

/** How long it is to wait: not at all where it does not say. @throws LockError `invalid`. */
export function waitOf({ timeout, timeout_ms }: Terms): number {
  return waitTime(eitherDuration("timeout", timeout, timeout_ms) ?? 0);
}

/** The same on a connection that many waits share, so that one may last for ever. @throws LockError `invalid`. */
export function sharedWaitOf(request: Terms): number {
  return request.timeout === forEver && request.timeout_ms === undefined ? Infinity : waitOf(request);
}

/** @throws LockError `invalid`. */
export function acquireOptions(request: Terms, waitMs: number): AcquireOptions {
  const ttl = eitherDuration("ttl", request.ttl, request.ttl_ms);
  return {
    timeout: waitMs,
    ...(ttl !== undefined && { ttl }),
    ...(request.mode !== undefined && { mode: request.mode }),
    ...(request.scope !== undefined && { scope: request.scope }),
    ...(request.reason !== undefined && { reason: request.reason }),
    ...(request.metadata !== undefined && { metadata: request.metadata }),
  };
}
