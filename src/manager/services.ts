/** What the parts of one manager have in common; put together by the manager itself. */

import type { Aborts } from "../aborts.js";
import type { Clock } from "../clock/clock.js";
import type { TimerWheel } from "../clock/timer-wheel.js";
import type { Request } from "../core/claim.js";
import type { Limits } from "../core/grant.js";
import type { Promoted } from "../core/queue.js";
import type { View } from "../core/view.js";
import type { Store } from "../store/store.js";
import type { EventSource } from "./event-source.js";
import type { Pipeline } from "./pipeline.js";
import type { StoreClock } from "./store-clock.js";
import type { WaitingCall } from "./waiting-call.js";

/** Where calls wait for their turn. */
export interface Room {
  readonly isEmpty: boolean;
  /** Whoever comes is to go. */
  readonly isClosed: boolean;
  enter(call: WaitingCall, places: readonly number[]): void;
  leave(call: WaitingCall): void;
  /** An agent got a lock, which may give its other claims their turn. */
  granted(agentId: string): void;
  /** How long a newcomer may wait for company before it queues, in milliseconds. `leftMs`: until its timeout. */
  patienceOf(request: Request, leftMs: number): number;
  /** It was queued without knowing whether somebody is in its way. */
  lookInTurn(call: WaitingCall): void;
  /** The next in the queue may be able to go as well. */
  passOn(call: WaitingCall): void;
  /** A call found itself in no queue any more: the look that it spent was for whoever has its turn. */
  lookBehind(call: WaitingCall): void;
  /** Looks again at that store time. */
  wakeAt(call: WaitingCall, until: number): void;
  /** Delivers what a release granted in its own change. */
  serve(promoted: readonly Promoted[], revision: number): void;
}

/** The locks that callers of this manager have in hand. */
export interface InHand {
  has(path: string, lockId: string): boolean;
  /** The lock was ended under its holders, who are told. */
  wasEnded(path: string, lockId: string): void;
}

/** The word to other managers that this one lives. */
export interface Presence {
  /** To be called by a plan that queues a waiter. */
  enter(view: View): void;
  /** To be called when a waiter was queued. */
  entered(): void;
}

export interface Services {
  readonly store: Store;
  readonly clock: Clock;
  readonly storeClock: StoreClock;
  /** Between 0 and 1. */
  readonly random: () => number;
  readonly newId: () => string;
  readonly limits: Limits;
  readonly pipeline: Pipeline;
  /** Deadlines that somebody waits for: they keep the process alive. */
  readonly deadlines: TimerWheel;
  /** Deadlines of locks: they do not. */
  readonly expiries: TimerWheel;
  readonly aborts: Aborts;
  readonly events: EventSource;
  readonly room: Room;
  readonly presence: Presence;
  readonly inHand: InHand;
  /** Work that nobody awaits. It deals with its own failures; one that gets here is a bug. */
  readonly background: (work: Promise<unknown>) => void;
}
