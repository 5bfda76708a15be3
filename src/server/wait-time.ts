/** How long a request may wait. */
import { toMilliseconds } from "../duration.js";
import type { Duration } from "../lock-manager.js";

/** Longer than any connection can be trusted to last. */
const longestWaitMs = 24 * 60 * 60_000;

/** @throws LockError `invalid` when it is no duration or too long. */
export function waitTime(timeout: Duration): number {
  return toMilliseconds("timeout", timeout, { minMs: 0, maxMs: longestWaitMs });
}
