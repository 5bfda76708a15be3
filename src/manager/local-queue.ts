/** The waiters of this manager on one path, in the order of its queue. */

import { Timed } from "../clock/timer-wheel.js";
import type { Request } from "../core/claim.js";

interface Asking {
  readonly request: Request;
}

/** Where a call stands in one queue. Seats are linked, so that coming and going make no garbage beside the seat itself. */
export class Seat<Call extends Asking> {
  readonly queue: LocalQueue<Call>;
  readonly call: Call;
  /** Its number in the queue. */
  readonly n: number;
  before: Seat<Call> | undefined = undefined;
  behind: Seat<Call> | undefined = undefined;
  isTaken = false;

  constructor(queue: LocalQueue<Call>, call: Call, n: number) {
    this.queue = queue;
    this.call = call;
    this.n = n;
  }
}

export class LocalQueue<Call extends Asking> extends Timed {
  readonly path: string;
  readonly ancestors: readonly string[];
  first: Seat<Call> | undefined = undefined;
  size = 0;
  /** It is due only because it may be that nobody is ahead of its first. */
  isDueInCase = false;
  #last: Seat<Call> | undefined = undefined;
  readonly #onDue: (queue: LocalQueue<Call>) => void;

  constructor(path: string, ancestors: readonly string[], onDue: (queue: LocalQueue<Call>) => void) {
    super();
    this.path = path;
    this.ancestors = ancestors;
    this.#onDue = onDue;
  }

  onDue(): void {
    this.due = Infinity;
    this.isDueInCase = false;
    this.#onDue(this);
  }

  /** Whoever comes has nearly always the largest number so far. */
  enter(call: Call, n: number): Seat<Call> {
    const seat = new Seat(this, call, n);
    let before = this.#last;
    while (before !== undefined && before.n > n) before = before.before;
    const behind = before === undefined ? this.first : before.behind;
    seat.before = before;
    seat.behind = behind;
    if (before === undefined) this.first = seat;
    else before.behind = seat;
    if (behind === undefined) this.#last = seat;
    else behind.before = seat;
    seat.isTaken = true;
    this.size++;
    return seat;
  }

  leave(seat: Seat<Call>): void {
    if (!seat.isTaken) return;
    const { before, behind } = seat;
    if (before === undefined) this.first = behind;
    else before.behind = behind;
    if (behind === undefined) this.#last = before;
    else behind.before = before;
    // A seat that grew old must not keep all that came after it alive.
    seat.before = undefined;
    seat.behind = undefined;
    seat.isTaken = false;
    this.size--;
  }

  hasTree(): boolean {
    for (let seat = this.first; seat !== undefined; seat = seat.behind) {
      if (seat.call.request.scope === "tree") return true;
    }
    return false;
  }
}
