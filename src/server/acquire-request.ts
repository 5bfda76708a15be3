/** What an acquire on the wire asks of the lock manager. */
import type { AcquireOptions, CallSignal } from "../lock-manager.js";
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

/** Filled in one by one: spreading what is there costs more than all that is done with it. */
type Options = { -readonly [Name in keyof AcquireOptions]: AcquireOptions[Name] };

/** @throws LockError `invalid`. */
export function acquireOptions(request: Terms, waitMs: number, signal?: CallSignal): AcquireOptions {
  const { mode, scope, reason, metadata } = request;
  const ttl = eitherDuration("ttl", request.ttl, request.ttl_ms);
  const options: Options = { timeout: waitMs };
  if (ttl !== undefined) options.ttl = ttl;
  if (mode !== undefined) options.mode = mode;
  if (scope !== undefined) options.scope = scope;
  if (reason !== undefined) options.reason = reason;
  if (metadata !== undefined) options.metadata = metadata;
  if (signal !== undefined) options.signal = signal;
  return options;
}
