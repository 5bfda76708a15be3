/** What one caller wants to be told of. It is read no faster than the caller takes it. */
import { LockError } from "../../errors.js";
import type { Subscription } from "../../protocol/event.js";
import type { EventLog, EventReader } from "../event-log.js";

const mostSubscriptions = 100;

export interface SubscriptionsParts {
  readonly events: EventLog;
  /** @param message JSON. */
  readonly tell: (message: string) => void;
  /** Enough waits to be read by the caller. */
  readonly isCrowded: () => boolean;
}

export class Subscriptions {
  readonly #parts: SubscriptionsParts;
  readonly #readers = new Map<number, EventReader>();

  constructor(parts: SubscriptionsParts) {
    this.#parts = parts;
  }

  /** One of the same number takes its place. @returns the id behind which its events are. @throws LockError. */
  open(number: number, wanted: Subscription): number {
    this.close(number);
    if (this.#readers.size >= mostSubscriptions) throw tooManySubscriptions();
    const reader = this.#parts.events.open(wanted, () => this.#read(number, reader));
    this.#readers.set(number, reader);
    const { position } = reader;
    // After the answer of the call.
    process.nextTick(() => this.#read(number, reader));
    return position;
  }

  close(number: number): boolean {
    const reader = this.#readers.get(number);
    this.#readers.delete(number);
    reader?.close();
    return reader !== undefined;
  }

  /** The caller has read something, so that there is room. */
  readOn(): void {
    for (const [number, reader] of this.#readers) this.#read(number, reader);
  }

  closeAll(): void {
    for (const number of this.#readers.keys()) this.close(number);
  }

  #read(number: number, reader: EventReader): void {
    const { isCrowded, tell } = this.#parts;
    if (this.#readers.get(number) !== reader) return;
    while (!isCrowded()) {
      const kept = reader.next();
      if (kept === undefined) break;
      tell(`{"subscription":${number},"event":${kept.json}}`);
    }
    if (!reader.ended) return;
    this.#readers.delete(number);
    tell(`{"subscription":${number},"ended":true}`);
  }
}

function tooManySubscriptions(): LockError {
  return new LockError(
    "limit_exceeded",
    `Cannot subscribe: this session has ${mostSubscriptions} subscriptions, the most it may have.`,
    { limit: mostSubscriptions, next: ["End one of them, or use a second connection."] },
  );
}
