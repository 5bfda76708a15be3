/** Calls about single locks that share a message: those that one agent makes in one turn, and that differ only in their lock. */
import type { z } from "zod";
import type { CallSignal } from "../aborts.js";
import { maxNamedLocks } from "../protocol/extend.js";
import type { Calls } from "./calls.js";
import type { Answered, Receiver } from "./pending.js";

/** Characters of the names in a message: three bytes each at the most, they stay below what the server takes. */
const mostNamed = 16_000;

export interface NamedLock {
  readonly resource_path: string;
  readonly lock_id: string;
}

/** What is said of a lock. */
export interface Said {
  readonly agent_id: string;
  readonly ttl?: string | number | undefined;
}

export interface SharedCallsParts<Answer, One> {
  readonly op: "release" | "extend";
  readonly calls: Calls;
  readonly schema: z.ZodType<Answer>;
  /** What the answer says of the lock that was named at this place. */
  readonly oneOf: (answer: Answer, place: number) => One;
}

export class SharedCalls<Answer, One> {
  readonly #parts: SharedCallsParts<Answer, One>;
  #groups = new Map<string, Group<Answer, One>>();

  constructor(parts: SharedCallsParts<Answer, One>) {
    this.#parts = parts;
  }

  /** One with a signal goes alone: it may be called off. @throws LockError as `Calls.make` does. */
  make(lock: NamedLock, said: Said, signal: CallSignal | undefined): Promise<Answered<One>> {
    return new Promise((resolve, reject) => {
      const group = signal === undefined ? this.#groupFor(lock, said) : new Group(this.#parts, said);
      group.add(lock, { resolve, reject });
      if (signal !== undefined) group.send(signal);
    });
  }

  #groupFor(lock: NamedLock, said: Said): Group<Answer, One> {
    const name = said.ttl === undefined ? said.agent_id : `${typeof said.ttl} ${said.ttl} ${said.agent_id}`;
    const open = this.#groups.get(name);
    if (open?.hasRoomFor(lock) === true) return open;
    if (this.#groups.size === 0) queueMicrotask(this.#sendAll);
    open?.send();
    const group = new Group(this.#parts, said);
    this.#groups.set(name, group);
    return group;
  }

  readonly #sendAll = (): void => {
    const groups = this.#groups;
    // Not cleared, for the reason of `ChurnMap`.
    this.#groups = new Map();
    for (const group of groups.values()) group.send();
  };
}

class Group<Answer, One> implements Receiver<Answer> {
  readonly #parts: SharedCallsParts<Answer, One>;
  readonly #said: Said;
  readonly #locks: NamedLock[] = [];
  readonly #callers: Receiver<One>[] = [];
  #named = 0;
  #isRepeated = false;

  constructor(parts: SharedCallsParts<Answer, One>, said: Said) {
    this.#parts = parts;
    this.#said = said;
  }

  hasRoomFor(lock: NamedLock): boolean {
    return this.#locks.length < maxNamedLocks && this.#named + lengthOf(lock) <= mostNamed;
  }

  add(lock: NamedLock, caller: Receiver<One>): void {
    this.#locks.push(lock);
    this.#callers.push(caller);
    this.#named += lengthOf(lock);
  }

  send(signal?: CallSignal): void {
    const { op, calls, schema } = this.#parts;
    const fields = { ...this.#said, locks: this.#locks };
    calls.begin({ op, kind: "change", fields, signal }, { schema }, this);
  }

  resolve({ answer, repeated }: Answered<Answer>): void {
    for (let place = 0; place < this.#callers.length; place++) {
      const one = this.#parts.oneOf(answer, place);
      this.#callers[place]?.resolve({ answer: one, repeated: repeated || this.#isRepeated });
    }
  }

  reject(error: unknown, byServer: boolean): void {
    if (byServer && this.#callers.length > 1) this.#sendEach();
    else for (const caller of this.#callers) caller.reject(error, byServer);
  }

  /** The server refused one of them, and does not say what came of the others. */
  #sendEach(): void {
    for (const [place, lock] of this.#locks.entries()) {
      const group = new Group(this.#parts, this.#said);
      group.#isRepeated = true;
      const caller = this.#callers[place];
      if (caller !== undefined) group.add(lock, caller);
      group.send();
    }
  }
}

function lengthOf({ resource_path, lock_id }: NamedLock): number {
  // Whatever was given for them: the server says what is wrong with it.
  return `${resource_path}${lock_id}`.length;
}
