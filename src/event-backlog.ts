/** Events that wait for their reader: an iterator that somebody else fills. */
import type { LockEvent } from "./lock-manager.js";

/** A reader further behind than this misses events, and is told so. */
const longestBacklog = 1_000;

interface Waiting {
  readonly resolve: (result: IteratorResult<LockEvent>) => void;
  readonly reject: (error: unknown) => void;
}

export interface BacklogTerms {
  /** Ends the iteration. */
  readonly signal?: AbortSignal | undefined;
  /** Where a `reset` stands. */
  readonly prefix?: string | undefined;
  /** Called once, unless the signal was aborted from the start. */
  readonly onEnd: () => void;
}

export class EventBacklog implements AsyncIterableIterator<LockEvent> {
  readonly #terms: BacklogTerms;
  #events: LockEvent[] = [];
  #waiting: Waiting[] = [];
  #ended = false;
  #error: Error | undefined = undefined;

  constructor(terms: BacklogTerms) {
    this.#terms = terms;
    if (terms.signal?.aborted) this.#ended = true;
    else terms.signal?.addEventListener("abort", this.#abort, { once: true });
  }

  get ended(): boolean {
    return this.#ended;
  }

  readonly #abort = (): void => this.end();

  offer(event: LockEvent): void {
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) {
      waiting.resolve({ done: false, value: event });
      return;
    }
    if (this.#events.length >= longestBacklog) {
      const { id, at } = event;
      const { prefix = "/" } = this.#terms;
      this.#events = [{ id: id - 1, type: "reset", at, resourcePath: prefix, resourceType: "/" }];
    }
    this.#events.push(event);
  }

  next(): Promise<IteratorResult<LockEvent>> {
    const event = this.#events.shift();
    if (event !== undefined) return Promise.resolve({ done: false, value: event });
    const error = this.#error;
    this.#error = undefined;
    if (error !== undefined) return Promise.reject(error);
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  return(): Promise<IteratorResult<LockEvent>> {
    this.end();
    this.#events = [];
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Whoever reads on is told why there is no more. */
  fail(error: Error): void {
    if (this.#ended) return;
    const first = this.#waiting.shift();
    if (first === undefined) this.#error = error;
    else first.reject(error);
    this.end();
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#terms.signal?.removeEventListener("abort", this.#abort);
    this.#terms.onEnd();
    for (const { resolve } of this.#waiting) resolve({ done: true, value: undefined });
    this.#waiting = [];
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
