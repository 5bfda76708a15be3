/** Where events come from: numbers them, tells the listeners at once and the iterators in their own time. */
import { isAtOrBelow } from "../core/resource-path.js";
import type { EventFilter, LockEvent } from "../lock-manager.js";

/** A reader further behind than this misses events, and is told so. */
const longestBacklog = 1_000;

export type EventFacts = Omit<LockEvent, "id">;
export type EventListener = (event: LockEvent) => void;

export class EventSource {
  readonly #listeners: EventListener[] = [];
  readonly #readers = new Set<Reader>();
  #lastId = 0;

  /** Listeners are for the manager's own folds over events; they must be quick and must not throw. */
  listen(listener: EventListener): void {
    this.#listeners.push(listener);
  }

  /** False when nobody would hear an event, which then need not be made. */
  get heard(): boolean {
    return this.#listeners.length > 0 || this.#readers.size > 0;
  }

  emit(facts: EventFacts): void {
    const event: LockEvent = { id: ++this.#lastId, ...facts };
    for (const listener of this.#listeners) listener(event);
    for (const reader of this.#readers) reader.offer(event);
  }

  read(filter: EventFilter, prefix: string | undefined): AsyncIterableIterator<LockEvent> {
    const reader = new Reader(filter, prefix, () => this.#readers.delete(reader));
    if (filter.signal?.aborted) reader.end();
    else this.#readers.add(reader);
    return reader;
  }

  close(): void {
    for (const reader of [...this.#readers]) reader.end();
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
      this.#backlog = [{ id: id - 1, type: "reset", at, resourcePath: this.#prefix ?? "/", resourceType: "/" }];
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
