/** The latest events under ids without gaps, and places to read them from. */
import { isAtOrBelow, typeOf } from "../core/resource-path.js";
import type { LockEvent, LockEventType } from "../lock-manager.js";
import { eventToJson } from "../protocol/event.js";

/** An event, and its JSON made once for all who read it. */
export class KeptEvent {
  readonly event: LockEvent;
  #json: string | undefined = undefined;

  constructor(event: LockEvent) {
    this.event = event;
  }

  get json(): string {
    this.#json ??= JSON.stringify(eventToJson(this.event));
    return this.#json;
  }
}

export class EventMemory {
  /** The event with this id is at `id % capacity`. */
  readonly #kept: (KeptEvent | undefined)[];
  readonly #startedAfter: number;
  #lastId: number;

  /** @param capacity how many events are remembered. */
  constructor(startedAfter: number, capacity: number) {
    this.#kept = Array.from({ length: capacity }, () => undefined);
    this.#startedAfter = startedAfter;
    this.#lastId = startedAfter;
  }

  get lastId(): number {
    return this.#lastId;
  }

  /** Behind this id nothing is missing. */
  get completeAfter(): number {
    return Math.max(this.#startedAfter, this.#lastId - this.#kept.length);
  }

  add(event: LockEvent): void {
    const id = ++this.#lastId;
    this.#kept[id % this.#kept.length] = new KeptEvent({ ...event, id });
  }

  find(id: number): KeptEvent | undefined {
    return this.#kept[id % this.#kept.length];
  }
}

export interface Wanted {
  /** Normalised. */
  readonly path: string;
  /** All, where it is undefined. */
  readonly types: readonly LockEventType[] | undefined;
  readonly currentTime: () => Date;
}

/** A place in the memory, and what is wanted of it. */
export class MemoryReader {
  readonly #memory: EventMemory;
  readonly #wanted: Wanted;
  #position: number;
  /** Where a reader goes on that came with an id that is not remembered, once it has been told so. */
  #beginAfter: number | undefined;

  constructor(memory: EventMemory, wanted: Wanted, since = memory.lastId) {
    this.#memory = memory;
    this.#wanted = wanted;
    this.#position = since;
    // Judged now: in a while the id of another life may be one of this.
    const isKnown = since >= memory.completeAfter && since <= memory.lastId;
    this.#beginAfter = isKnown ? undefined : memory.lastId;
  }

  /** Everything up to this id was read, whether or not it was wanted. What the reader came with, until it is told that this is not known. */
  get position(): number {
    return this.#position;
  }

  /** The next wanted event, if there is one by now. A `reset` stands for all that was missed. */
  next(): KeptEvent | undefined {
    const { lastId, completeAfter } = this.#memory;
    const from = this.#beginAfter ?? this.#position;
    if (from >= completeAfter && this.#beginAfter === undefined) return this.#find(lastId);
    this.#position = from >= completeAfter ? from : lastId;
    this.#beginAfter = undefined;
    return this.#reset();
  }

  #find(lastId: number): KeptEvent | undefined {
    while (this.#position < lastId) {
      const kept = this.#memory.find(++this.#position);
      if (kept !== undefined && this.#wants(kept.event)) return kept;
    }
    return undefined;
  }

  #wants({ type, resourcePath }: LockEvent): boolean {
    const { path, types } = this.#wanted;
    if (type === "reset") return true;
    return (types === undefined || types.includes(type)) && isAtOrBelow(resourcePath, path);
  }

  #reset(): KeptEvent {
    const { path, currentTime } = this.#wanted;
    const place = { resourcePath: path, resourceType: typeOf(path) };
    return new KeptEvent({ id: this.#position, type: "reset", at: currentTime(), ...place });
  }
}
