/** A lock manager of a server, by its address. */
import type { Clock } from "../clock/clock.js";
import { systemClock } from "../clock/system-clock.js";
import type { LockManager } from "../lock-manager.js";
import { HttpLockManager } from "./http-lock-manager.js";

export interface HttpConnectOptions {
  /** Who is on record for what is done by force, where the call does not say. */
  readonly agentId?: string;
  readonly clock?: Clock;
}

/**
 * The same interface as in process; `events` is not there yet. Nothing is sent before the first call. An acquire that waits is one open request: whoever
 * aborts it, or dies, leaves the queue.
 *
 * @throws LockError `invalid` for what is no address of a server.
 */
export function connectOverHttp(url: string, options: HttpConnectOptions = {}): LockManager {
  return new HttpLockManager(url, options.clock ?? systemClock, options.agentId);
}
