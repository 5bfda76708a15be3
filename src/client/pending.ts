/** A call of the server, and what is known of it while it has no answer. */
import type { CallSignal } from "../aborts.js";
import { Timed } from "../clock/timer-wheel.js";
import type { Op } from "../protocol/wire.js";

/** What a call is to be taken for when no answer comes. */
export type Kind =
  /** It changes nothing. */
  | "look"
  /** It may have been carried out, which changes nothing about a second time. */
  | "change"
  /** It may have been carried out, and a second time would be another deed. */
  | "once";

export interface Call {
  readonly op: Op;
  readonly fields: object;
  /** What it does, for error messages: `acquire "/a"`. */
  readonly action: string;
  readonly kind: Kind;
  /** How long the server is asked to wait. */
  readonly waitMs?: number;
  /** What an acquire asks for: its paths in words, the first of them, for whom. */
  readonly acquire?: { readonly name: string; readonly path: string; readonly agentId: string };
  readonly signal?: CallSignal | undefined;
}

/** Whoever made a call. */
export interface Maker {
  settle(result: unknown, repeated: boolean): void;
  refuse(error: unknown): void;
  /** An answer came after the caller had gone. */
  settleLate(result: unknown): void;
}

/** One call without an answer. */
export class Pending extends Timed {
  readonly id: number;
  readonly call: Call;
  /** On the monotonic clock. */
  readonly begunAt: number;
  readonly maker: Maker;
  readonly #onTimeUp: (pending: Pending) => void;
  /** The server may have heard it. */
  isSent = false;
  isRepeated = false;
  /** Its caller was told something, and hears no more. */
  isForsaken = false;
  onAbort: (() => void) | undefined = undefined;

  constructor(id: number, call: Call, begunAt: number, maker: Maker, onTimeUp: (pending: Pending) => void) {
    super();
    this.id = id;
    this.call = call;
    this.begunAt = begunAt;
    this.maker = maker;
    this.#onTimeUp = onTimeUp;
  }

  message(): string {
    return JSON.stringify({ id: this.id, op: this.call.op, ...this.call.fields });
  }

  /** For the second time: it waits no longer than it would have the first time. */
  messageAgain(now: number): string {
    const { op, fields, waitMs = Infinity } = this.call;
    const timeout = Math.max(waitMs - (now - this.begunAt), 0);
    return JSON.stringify({ id: this.id, op, ...fields, ...(timeout < Infinity && { timeout }) });
  }

  onDue(): void {
    this.#onTimeUp(this);
  }
}
