/**
 * Events as server-sent events (WHATWG HTML, section 9.2): one connection at the pace of whoever reads it. A sign of life comes when there is nothing else,
 * so that both sides notice when the other has gone.
 */
import type { Clock } from "../clock/clock.js";
import type { EventReader } from "./event-log.js";

const heartbeatMs = 15_000;
/** What is read at once; as much again waits in the connection's buffer at most. */
const chunkLength = 32 * 1024;
/** How long a reader that was cut off is asked to wait before it comes back. */
const retryMs = 1_000;

const encoder = new TextEncoder();

export interface EventStreamParts {
  /** Opens the reader, which the stream closes. */
  readonly open: (onNews: () => void) => EventReader;
  readonly clock: Clock;
  /** Called once when nothing of the stream was taken for a whole heartbeat: it is to be cut off. */
  readonly onStalled: () => void;
}

export class EventStream {
  readonly body: ReadableStream<Uint8Array>;
  readonly #reader: EventReader;
  readonly #parts: EventStreamParts;
  #cancelBeat: () => void = () => {};
  /** Set while the connection asks for more and there is nothing. */
  #wake: ((alive: boolean) => void) | undefined = undefined;
  #askedSinceBeat = true;
  #ended = false;

  /** @throws what `open` throws. */
  constructor(parts: EventStreamParts) {
    this.#parts = parts;
    this.#reader = parts.open(() => this.#wake?.(false));
    this.#scheduleBeat();
    let preamble: string | undefined = `retry: ${retryMs}\n${placeOf(this.#reader)}`;
    this.body = new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        const text = preamble ?? (await this.#more());
        preamble = undefined;
        if (text === undefined) controller.close();
        else controller.enqueue(encoder.encode(text));
      },
      cancel: () => this.end(),
    });
  }

  /** What has been said goes out, then the stream ends. Idempotent. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#cancelBeat();
    this.#reader.close();
    this.#wake?.(false);
  }

  /** Everything there is, up to a limit; waits for it. Undefined at the end. */
  async #more(): Promise<string | undefined> {
    this.#askedSinceBeat = true;
    for (;;) {
      const text = this.#read();
      if (text !== "") return text;
      if (this.#ended || this.#reader.ended) {
        this.end();
        return undefined;
      }
      const alive = await new Promise<boolean>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
      // With its place, so that a stream that seldom has an event can go on from here, too.
      if (alive) return placeOf(this.#reader);
    }
  }

  #read(): string {
    let text = "";
    while (text.length < chunkLength) {
      const kept = this.#reader.next();
      if (kept === undefined) break;
      text += `id: ${kept.event.id}\nevent: ${kept.event.type}\ndata: ${kept.json}\n\n`;
    }
    return text;
  }

  #scheduleBeat(): void {
    const beat = (): void => {
      const isWaiting = this.#wake !== undefined;
      if (!isWaiting && !this.#askedSinceBeat) {
        this.end();
        this.#parts.onStalled();
        return;
      }
      this.#askedSinceBeat = false;
      this.#scheduleBeat();
      this.#wake?.(true);
    };
    this.#cancelBeat = this.#parts.clock.after(heartbeatMs, beat, { background: true });
  }
}

/** A comment, which readers pass over, and an id without an event, which they keep. */
function placeOf({ position }: EventReader): string {
  return `: alive\nid: ${position}\n\n`;
}
