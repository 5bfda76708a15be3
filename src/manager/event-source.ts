/** Where events come from: numbers them, tells the listeners at once and the iterators in their own time. */
import { isAtOrBelow } from "../core/resource-path.js";
import { EventBacklog } from "../event-backlog.js";
import type { EventFilter, LockEvent } from "../lock-manager.js";

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
    const reader: Reader = new Reader(filter, prefix, () => this.#readers.delete(reader));
    if (!reader.backlog.ended) this.#readers.add(reader);
    return reader.backlog;
  }

  close(): void {
    for (const reader of this.#readers) reader.backlog.end();
  }
}

class Reader {
  readonly backlog: EventBacklog;
  readonly #filter: EventFilter;
  readonly #prefix: string | undefined;

  constructor(filter: EventFilter, prefix: string | undefined, onEnd: () => void) {
    this.#filter = filter;
    this.#prefix = prefix;
    this.backlog = new EventBacklog({ signal: filter.signal, prefix, onEnd });
  }

  offer(event: LockEvent): void {
    if (this.#prefix !== undefined && !isAtOrBelow(event.resourcePath, this.#prefix)) return;
    if (this.#filter.types !== undefined && !this.#filter.types.includes(event.type)) return;
    this.backlog.offer(event);
  }
}
