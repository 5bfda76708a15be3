/**
 * What a session tells its caller. Everything told in one turn is one frame; a frame is kept until the caller has seen it, so that it can be sent again over
 * another connection.
 */
import type { Pipe } from "./pipe.js";

interface Frame {
  readonly number: number;
  readonly text: string;
}

export interface OutboxParts {
  /** What a frame begins with. */
  readonly head: () => string;
  /** Frames are kept until they are seen. */
  readonly keeps: () => boolean;
  /** More has piled up than a caller that reads would let. */
  readonly onTooSlow: () => void;
  /** Frames have gone out, or would have. */
  readonly onFlushed: () => void;
}

/** More than this beside the longest answer, kept or not yet out of this process, is a caller that does not read. */
const mostWaitingBytes = 4 * 1024 * 1024;

export class Outbox {
  readonly #parts: OutboxParts;
  #pipe: Pipe | undefined = undefined;
  #messages: string[] = [];
  #kept: Frame[] = [];
  #keptBytes = 0;
  #untoldBytes = 0;
  /** Of all messages. */
  #longest = 0;
  #count = 0;
  #isFlushing = false;

  constructor(parts: OutboxParts) {
    this.#parts = parts;
  }

  /** What was told and has not been read, as far as that is known. */
  get waitingBytes(): number {
    return this.#keptBytes + this.#untoldBytes + (this.#pipe?.unsentBytes ?? 0);
  }

  /** Sends through this connection from now on, first again what was not seen. */
  attach(pipe: Pipe): void {
    this.#pipe = pipe;
    for (const { text } of this.#kept) pipe.send(text);
  }

  detach(): void {
    this.#pipe = undefined;
  }

  /** The caller has seen so many frames. */
  seen(count: number): void {
    let past = 0;
    for (const { number, text } of this.#kept) {
      if (number > count) break;
      this.#keptBytes -= text.length;
      past++;
    }
    if (past > 0) this.#kept.splice(0, past);
  }

  /** @param message JSON. */
  tell(message: string): void {
    if (this.#untoldBytes > mostWaitingBytes + this.#longest) {
      this.#parts.onTooSlow();
      return;
    }
    this.#longest = Math.max(this.#longest, message.length);
    this.#messages.push(message);
    this.#untoldBytes += message.length;
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    // After everything that this turn settles.
    process.nextTick(this.flush);
  }

  /** Sends at once what was told in this turn. */
  readonly flush = (): void => {
    this.#isFlushing = false;
    if (this.#messages.length === 0) return;
    if (this.waitingBytes - this.#untoldBytes > mostWaitingBytes + this.#longest) {
      this.#parts.onTooSlow();
      return;
    }
    const text = `[${this.#parts.head()},${this.#messages.join(",")}]`;
    this.#messages = [];
    this.#untoldBytes = 0;
    this.#count++;
    if (this.#parts.keeps()) {
      this.#kept.push({ number: this.#count, text });
      this.#keptBytes += text.length;
    }
    this.#pipe?.send(text);
    this.#parts.onFlushed();
  };

  clear(): void {
    this.#pipe = undefined;
    this.#messages = [];
    this.#kept = [];
    this.#keptBytes = 0;
    this.#untoldBytes = 0;
  }
}
