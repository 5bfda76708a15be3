/** What is said to the server. Everything said in one turn is one frame; a frame is kept until the server has seen it, to be sent again if need be. */
import type { Clock } from "../clock/clock.js";

/** Frames are made no longer than this, in characters: three bytes each at the most, they stay below what the server takes. */
const frameLength = 20_000;
/** So many frames of the server, or characters of them, are seen before it is told without anything else to say: it waits with more. */
const mostUntold = 64;
const mostUntoldLength = 32 * 1024;

/**
 * So many rounds of microtasks go by without a new message before a frame goes out. Answers of different calls reach their callers after chains of promises
 * of different lengths, and what these callers say next belongs into one frame.
 */
const mostIdleRounds = 12;

/** Where frames go. */
export interface Way {
  /** What is said while there is no connection waits for one. */
  readonly isOpen: () => boolean;
  readonly send: (frame: string) => void;
}

interface Frame {
  readonly number: number;
  readonly text: string;
  readonly sentAt: number;
}

export class Outgoing {
  readonly #clock: Clock;
  readonly #way: Way;
  #messages: string[] = [];
  #gathered = 0;
  #idleRounds = 0;
  #isGathering = false;
  #kept: Frame[] = [];
  #made = 0;
  /** Frames of the server that were seen, and of how many it was told. */
  #seen = 0;
  #told = 0;
  /** Frames of ours that the server has seen, and when the last of them was sent. */
  #wasSeen = 0;
  #untoldLength = 0;
  #seenSentAt = 0;

  constructor(clock: Clock, way: Way) {
    this.#clock = clock;
    this.#way = way;
  }

  /** Frames of the server that were seen in this session. */
  get seen(): number {
    return this.#seen;
  }

  say(message: string): void {
    this.#messages.push(message);
    if (this.#isGathering) return;
    this.#isGathering = true;
    this.#gathered = 0;
    this.#idleRounds = 0;
    queueMicrotask(this.#gather);
  }

  /** A frame of the server was seen. */
  see(length: number): void {
    this.#seen++;
    this.#untoldLength += length;
    const isMuch = this.#seen - this.#told >= mostUntold || this.#untoldLength >= mostUntoldLength;
    if (isMuch && !this.#isGathering) this.say(`{"seen":${this.#seen}}`);
  }

  /**
   * The server has seen so many frames.
   *
   * @returns when the last of them was sent, on the monotonic clock; undefined for old news, of which that is forgotten.
   */
  wasSeen(count: number): number | undefined {
    let past = 0;
    for (const { number, sentAt } of this.#kept) {
      if (number > count) break;
      this.#seenSentAt = sentAt;
      past++;
    }
    if (past > 0) this.#kept.splice(0, past);
    this.#wasSeen = Math.max(this.#wasSeen, count);
    return count === this.#wasSeen && count > 0 ? this.#seenSentAt : undefined;
  }

  /** What the server has not seen, once more. It has just been told what was seen of its own. */
  repeat(): void {
    for (const { text } of this.#kept) this.#way.send(text);
    this.#tell();
  }

  /** A new session, in which nothing was said. */
  forget(): void {
    this.#messages = [];
    this.#kept = [];
    this.#made = 0;
    this.#wasSeen = 0;
    this.#seen = 0;
    this.#tell();
  }

  flush(): void {
    if (!this.#way.isOpen()) return;
    const messages = this.#messages;
    this.#messages = [];
    for (let next = 0; next < messages.length; ) {
      const parts: string[] = this.#told === this.#seen ? [] : [`{"seen":${this.#seen}}`];
      this.#tell();
      let length = 0;
      do {
        const message = messages[next++] ?? "";
        length += message.length;
        parts.push(message);
      } while (next < messages.length && length + (messages[next]?.length ?? 0) < frameLength);
      const text = `[${parts.join(",")}]`;
      this.#kept.push({ number: ++this.#made, text, sentAt: this.#clock.monotonic() });
      this.#way.send(text);
    }
  }

  /** The server knows what was seen. */
  #tell(): void {
    this.#told = this.#seen;
    this.#untoldLength = 0;
  }

  /** Waits until nobody has anything to add. */
  readonly #gather = (): void => {
    if (this.#messages.length > this.#gathered) {
      this.#gathered = this.#messages.length;
      this.#idleRounds = 0;
    }
    if (this.#idleRounds++ < mostIdleRounds) {
      queueMicrotask(this.#gather);
      return;
    }
    this.#isGathering = false;
    this.flush();
  };
}
