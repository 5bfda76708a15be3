/** Where events come from: numbers them, tells the listeners at once and the iterators in their own time. */
import { isAtOrBelow } from "../core/resource-path.js";
import type { EventFilter, LockEvent } from "../lock-manager.js";

/** A reader further behind than this misses events, and is told so. */
const longestBacklog = 1_000;

export type EventFacts = Omit<LockEvent, "id">;

/** The few facts of an event that are counted. */
export interface CountedFacts {
  readonly type: LockEvent["type"];
  readonly resourceType: string;
  readonly cause?: string | undefined;
  readonly call?: LockEvent["call"] | undefined;
  readonly waitedMs?: number | undefined;
  readonly heldMs?: number | undefined;
}

/** Adds events up. Quick, and never throws. */
export interface EventCounter {
  observe(facts: CountedFacts): void;
}

export class EventSource {
  readonly #readers = new Set<Reader>();
  #counter: EventCounter | undefined;
  #lastId = 0;

  countWith(counter: EventCounter): void {
    this.#counter = counter;
  }

  emit(facts: EventFacts): void {
    this.count(facts);
    if (this.isRead) this.offer(facts);
  }

  /** The two halves of `emit`, for those who make the facts of an event only when somebody reads it: most of the time it is only counted. */
  count(facts: CountedFacts): void {
    this.#counter?.observe(facts);
  }

  get isRead(): boolean {
    return this.#readers.size > 0;
  }

  offer(facts: EventFacts): void {
    const event: LockEvent = { id: ++this.#lastId, ...facts };
    for (const reader of this.#readers) reader.offer(event);
  }

  read(filter: EventFilter, prefix: string | undefined): AsyncIterableIterator<LockEvent> {
    const reader = new Reader(filter, prefix, () => this.#readers.delete(reader));
    if (filter.signal?.aborted) reader.end();
    else this.#readers.add(reader);
    return reader;
  }

  close(): void {
    for (const reader of this.#readers) reader.end();
  }
}

class Reader implements AsyncIterableIterator<LockEvent> {
  readonly #filter: EventFilter;
  readonly #prefix: string | undefined;
  readonly #onEnd: () => void;
  #backlog: LockEvent[] = [];
  #waiting: ((result: IteratorResult<LockEvent>) => void)[] = [];
  #ended = false;

  constructor(filter: EventFilter, prefix: string | undefined, onEnd: () => void) {
    this.#filter = filter;
    this.#prefix = prefix;
    this.#onEnd = onEnd;
    filter.signal?.addEventListener("abort", this.#abort, { once: true });
  }

  readonly #abort = (): void => this.end();

  offer(event: LockEvent): void {
    if (this.#prefix !== undefined && !isAtOrBelow(event.resourcePath, this.#prefix)) return;
    if (this.#filter.types !== undefined && !this.#filter.types.includes(event.type)) return;
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) {
      waiting({ done: false, value: event });
      return;
    }
    if (this.#backlog.length >= longestBacklog) {
      const { id, at } = event;
      this.#backlog = [
        { id: id - 1, type: "reset", at, resourcePath: this.#prefix ?? "/", resourceType: "/" },
      ];
    }
    this.#backlog.push(event);
  }

  next(): Promise<IteratorResult<LockEvent>> {
    const event = this.#backlog.shift();
    if (event !== undefined) return Promise.resolve({ done: false, value: event });
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  return(): Promise<IteratorResult<LockEvent>> {
    this.end();
    this.#backlog = [];
    return Promise.resolve({ done: true, value: undefined });
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#filter.signal?.removeEventListener("abort", this.#abort);
    this.#onEnd();
    for (const resolve of this.#waiting) resolve({ done: true, value: undefined });
    this.#waiting = [];
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
