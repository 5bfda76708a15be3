/** A call of the server that has no answer yet. */
import type { z } from "zod";
import type { CallSignal } from "../aborts.js";
import { Timed } from "../clock/timer-wheel.js";
import { LockError } from "../errors.js";
import type { Op } from "../protocol/wire.js";
import { type Fields, wordsFor } from "./call-words.js";

export interface Call {
  readonly op: Op;
  readonly fields: Fields;
  /**
   * What is to be made of it when no answer comes. A look changes nothing, a change may have been carried out; both are made again in a new session,
   * but not what is to be done once: the second time it would meet somebody else.
   */
  readonly kind: "look" | "change" | "once";
  /** How long the server is asked to wait. */
  readonly waitMs?: number;
  readonly signal?: CallSignal | undefined;
}

/** What the server answers, and what becomes of an answer that comes after the caller has gone. */
export interface Expected<Answer> {
  readonly schema: z.ZodType<Answer>;
  /** Takes the answer in at once, before the promise tells of it: the next message may be about what it brought. */
  readonly onAnswer?: (answer: Answer) => void;
  readonly onLate?: (answer: Answer) => void;
}

export interface Answered<Answer> {
  readonly answer: Answer;
  /** The call was made a second time, because no answer had come and the server did not know of the first. */
  readonly repeated: boolean;
}

/** Who is told how it ended. */
export interface Receiver<Answer> {
  resolve(answered: Answered<Answer>): void;
  /** @param byServer the server refused it; otherwise no answer came, or nobody waits for it any more. */
  reject(error: unknown, byServer: boolean): void;
}

export interface PendingOwner {
  onTimeUp(pending: Pending): void;
}

/** A class and not closures, because thousands of calls may be under way. */
export abstract class Pending extends Timed {
  readonly id: number;
  readonly call: Call;
  /** On the monotonic clock. */
  readonly begunAt: number;
  /** The server may have heard it. */
  isSent = false;
  isRepeated = false;
  /** Its caller was told something, and hears no more. */
  isForsaken = false;
  onAbort: (() => void) | undefined = undefined;
  readonly #owner: PendingOwner;

  constructor(owner: PendingOwner, id: number, call: Call, begunAt: number) {
    super();
    this.#owner = owner;
    this.id = id;
    this.call = call;
    this.begunAt = begunAt;
  }

  /** What is said to the server. An acquire that is made again waits for what is left of its time. */
  message(now = this.begunAt): string {
    const { op, fields, waitMs } = this.call;
    const timeLeft =
      waitMs !== undefined && waitMs < Infinity && now > this.begunAt
        ? { timeout: Math.max(0, Math.ceil(this.begunAt + waitMs - now)) }
        : undefined;
    return JSON.stringify({ id: this.id, op, ...fields, ...timeLeft });
  }

  abstract settle(result: unknown): void;
  /** The server did. */
  abstract refused(error: unknown): void;
  abstract refuse(error: unknown): void;

  onDue(): void {
    this.#owner.onTimeUp(this);
  }
}

export class PendingFor<Answer> extends Pending {
  readonly #expected: Expected<Answer>;
  readonly #receiver: Receiver<Answer>;

  constructor(
    owner: PendingOwner,
    id: number,
    call: Call,
    begunAt: number,
    expected: Expected<Answer>,
    receiver: Receiver<Answer>,
  ) {
    super(owner, id, call, begunAt);
    this.#expected = expected;
    this.#receiver = receiver;
  }

  settle(result: unknown): void {
    const { schema, onAnswer, onLate } = this.#expected;
    const { success, data } = schema.safeParse(result);
    if (!success) this.refuse(strange(this.call));
    else if (this.isForsaken) onLate?.(data);
    else {
      onAnswer?.(data);
      this.#receiver.resolve({ answer: data, repeated: this.isRepeated });
    }
  }

  refused(error: unknown): void {
    this.#receiver.reject(error, true);
  }

  refuse(error: unknown): void {
    this.#receiver.reject(error, false);
  }
}

/** What answers is not what it is taken for. */
export function strange(call: Call): LockError {
  return new LockError(
    "outcome_unknown",
    `What answered the call to ${wordsFor(call)} is no server of this kind.`,
  );
}
