/** What the waiting room knows of an acquire that waits. */
import type { Wait } from "../core/acquire.js";
import type { Request } from "../core/claim.js";
import type { Granted } from "../core/holding.js";
import type { View } from "../core/view.js";
import type { LockError } from "../errors.js";
import type { Seat } from "./local-queue.js";

export interface WaitingCall {
  readonly request: Request;
  /** Its number in the queue of each claim. */
  readonly places: readonly number[];
  /* Where it stands among this manager's waiters, and another call of its agent that waits; kept by the waiting room. */
  seats: readonly Seat<WaitingCall>[];
  brother: WaitingCall | undefined;
  /** Since when the caller waits, in milliseconds. */
  readonly waitedMs: number;
  /** Its agent has locks as well: it may be waited for, and need not queue behind those that wait for it. */
  isEntangled: boolean;
  /** Looks whether its turn has come; `isAfresh`: at what the store says from now on, instead of at what is believed. */
  look(isAfresh?: boolean): void;
  /** Refuses itself when it closed a deadlock. */
  lookForDeadlock(): void;
  /** Queues anew: its manager's id was given up. */
  requeue(): void;
  /** Somebody's release granted it. */
  serve(granted: readonly Granted[], revision: number): void;
  /** Leaves the queue and is refused; without an error, because its time is up. */
  stop(error: LockError | undefined): void;
}

/** The outcome that the caller hears of. */
export interface Hearing {
  granted(request: Request, granted: readonly Granted[], revision: number): void;
  refused(error: unknown): void;
}

/** Nothing when it does not wait, or no longer: then whoever is in the way is a reason to refuse it. */
export function waitOf(view: View, leftMs: number, blindly: boolean): Wait | undefined {
  if (leftMs <= 0) return undefined;
  return { until: leftMs === Infinity ? null : view.latest + leftMs, blindly };
}
