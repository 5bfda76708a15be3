/**
 * What happens, for everybody who subscribes: one reader of the manager's events, and one memory that each subscriber reads at its own pace, so that a
 * slow one costs nobody anything. Events are read only while somebody is interested, as a manager that nobody reads does not even make them, and for
 * some minutes after, so that whoever comes back finds what it missed.
 *
 * They are numbered anew, from a number drawn at the start: an id of another server, or of this one before it was restarted, is none that is remembered
 * here. (A drawn number is mistaken for one of ten thousand others once in 10^10 times.)
 */
import { randomInt } from "node:crypto";
import type { Cancel, Clock } from "../clock/clock.js";
import { parseResourcePath } from "../core/resource-path.js";
import { invalid } from "../errors.js";
import type { LockEvent, LockManager } from "../lock-manager.js";
import type { Subscription } from "../protocol/event.js";
import { EventMemory, type KeptEvent, MemoryReader, type Wanted } from "./event-memory.js";

const defaultCapacity = 10_000;
const keepMs = 5 * 60_000;
const firstIds = 2 ** 47;
/** Asked for before they are there: one commit may tell of more events at once than a manager keeps for a reader. */
const askedAtOnce = 512;

/** One subscriber's place in the events. */
export interface EventReader {
  /** The next event of the subscription, if there is one by now. A `reset` stands for all that was missed. */
  next(): KeptEvent | undefined;
  /** Everything up to this id was read, whether or not it was of the subscription: good as `since`. */
  readonly position: number;
  /** No more will come: this was closed, or the lock manager or the server is. */
  readonly ended: boolean;
  /** Idempotent. */
  close(): void;
}

export interface EventLogParts {
  readonly manager: LockManager;
  readonly clock: Clock;
  /** Is told why the events ended before their time. */
  readonly report: (error: unknown) => void;
  /** How many events are remembered. Default 10,000. */
  readonly capacity?: number;
}

interface Reading {
  readonly memory: EventMemory;
  readonly stopping: AbortController;
}

export class EventLog {
  readonly #parts: EventLogParts;
  readonly #subscribers = new Set<Subscriber>();
  #reading: Reading | undefined = undefined;
  #lastId = randomInt(1, firstIds);
  #cancelStop: Cancel = () => {};
  #telling = false;

  constructor(parts: EventLogParts) {
    this.#parts = parts;
  }

  /** Whether the manager's events are being read. */
  get isReading(): boolean {
    return this.#reading !== undefined;
  }

  /**
   * Reads from now on, or behind the event `since`.
   *
   * @param onNews called after events have come, once for all of one turn of the event loop, and when no more will come.
   * @throws LockError `invalid` for a bad prefix, `closed` when the manager is closed.
   */
  open({ prefix = "/", types, since }: Subscription, onNews: () => void): EventReader {
    const wanted: Wanted = {
      path: parsePrefix(prefix),
      types,
      currentTime: () => this.#parts.manager.currentTime(),
    };
    const { memory } = this.#start();
    this.#cancelStop();
    const reader = new MemoryReader(memory, wanted, since);
    const subscriber = new Subscriber(reader, onNews, () => this.#leave(subscriber));
    this.#subscribers.add(subscriber);
    return subscriber;
  }

  /** Ends every subscription. Idempotent. */
  close(): void {
    this.#cancelStop();
    this.#stop();
  }

  #leave(subscriber: Subscriber): void {
    this.#subscribers.delete(subscriber);
    if (this.#subscribers.size > 0 || this.#reading === undefined) return;
    this.#cancelStop = this.#parts.clock.after(keepMs, () => this.#stop(), { background: true });
  }

  #start(): Reading {
    if (this.#reading !== undefined) return this.#reading;
    const stopping = new AbortController();
    const events = this.#parts.manager.events({ signal: stopping.signal });
    // One more: what happened since the last time is not known, so the last id then is none to go on behind.
    const memory = new EventMemory(this.#lastId + 1, this.#parts.capacity ?? defaultCapacity);
    const reading = { memory, stopping };
    this.#reading = reading;
    const over = (): void => {
      if (this.#reading === reading) this.#stop();
    };
    this.#read(events, memory).then(over, (error: unknown) => {
      this.#parts.report(error);
      over();
    });
    return reading;
  }

  /** Side by side; they come in order all the same, because they are answered in the order in which they are asked for. */
  async #read(events: AsyncIterator<LockEvent>, memory: EventMemory): Promise<void> {
    await Promise.all(Array.from({ length: askedAtOnce }, () => this.#readOn(events, memory)));
  }

  async #readOn(events: AsyncIterator<LockEvent>, memory: EventMemory): Promise<void> {
    for (;;) {
      const next = await events.next();
      if (next.done === true) return;
      memory.add(next.value);
      this.#tellSoon();
    }
  }

  #tellSoon(): void {
    if (this.#telling || this.#subscribers.size === 0) return;
    this.#telling = true;
    this.#parts.clock.nextTurn(() => {
      this.#telling = false;
      for (const subscriber of this.#subscribers) subscriber.onNews();
    });
  }

  #stop(): void {
    if (this.#reading === undefined) return;
    this.#lastId = this.#reading.memory.lastId;
    this.#reading.stopping.abort();
    this.#reading = undefined;
    const subscribers = [...this.#subscribers];
    this.#subscribers.clear();
    for (const subscriber of subscribers) subscriber.end();
  }
}

class Subscriber implements EventReader {
  readonly onNews: () => void;
  readonly #reader: MemoryReader;
  readonly #onClose: () => void;
  #ended = false;

  constructor(reader: MemoryReader, onNews: () => void, onClose: () => void) {
    this.#reader = reader;
    this.onNews = onNews;
    this.#onClose = onClose;
  }

  get position(): number {
    return this.#reader.position;
  }

  get ended(): boolean {
    return this.#ended;
  }

  next(): KeptEvent | undefined {
    return this.#ended ? undefined : this.#reader.next();
  }

  end(): void {
    this.#ended = true;
    this.onNews();
  }

  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#onClose();
  }
}

/** @returns its normal spelling. */
function parsePrefix(prefix: string): string {
  const parsed = parseResourcePath(prefix);
  if (!parsed.ok) throw invalid("prefix", prefix, parsed.allowed);
  return parsed.resource.path;
}
