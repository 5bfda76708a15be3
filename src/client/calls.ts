/** Calls of the server: each is answered once, whatever becomes of the connections meanwhile, or refused in time. */
import { Aborts } from "../aborts.js";
import { ChurnMap } from "../churn-map.js";
import type { Clock } from "../clock/clock.js";
import { TimerWheel } from "../clock/timer-wheel.js";
import { invalid, LockError } from "../errors.js";
import { problemSchema } from "../protocol/problem.js";
import { maxFrameBytes } from "../protocol/wire.js";
import { listed, pathsOf, wordsFor } from "./call-words.js";
import { errorOf } from "./error-of.js";
import { Link, type LinkParts } from "./link.js";
import {
  type Answered,
  type Call,
  type Expected,
  type Pending,
  PendingFor,
  type PendingOwner,
  type Receiver,
  strange,
} from "./pending.js";

/** How long an answer may take beyond what the call itself waits. */
const answerTimeoutMs = 30_000;
/** How long calls wait for a server that has been there before. */
const outageMs = 10_000;
/** What a frame has around a message. */
const frameBytes = 64;

export interface CallsUser {
  /** Locks are held, so that it is good to hear of them. */
  readonly isWanted: () => boolean;
  /** A message that answers no call. */
  readonly onNews: (message: object) => void;
  /** The server knows nothing of what was said before. Called before the calls without an answer are made again. */
  readonly onFresh: () => void;
}

export class Calls implements PendingOwner {
  readonly #clock: Clock;
  readonly #place: string;
  readonly #user: CallsUser;
  readonly #link: Link;
  readonly #wheel: TimerWheel;
  readonly #aborts = new Aborts();
  readonly #pending = new ChurnMap<number, Pending>();
  #lastId = 0;
  #closed: LockError | undefined = undefined;
  #isClosing = false;

  constructor(parts: LinkParts, user: CallsUser) {
    this.#clock = parts.clock;
    const { host, pathname } = new URL(parts.url);
    this.#place = host || pathname.replace(/:.*$/, "");
    this.#user = user;
    this.#wheel = new TimerWheel(parts.clock, { background: true });
    this.#link = new Link(parts, {
      isWanted: () => this.#pending.size > 0 || user.isWanted(),
      onMessage: (message) => this.#hear(message),
      onUp: (fresh) => this.#onUp(fresh),
      onUnreachable: (why, forMs) => this.#onUnreachable(why, forMs),
    });
  }

  get isClosed(): boolean {
    return this.#closed !== undefined;
  }

  /** @throws LockError `closed`. */
  requireOpen(): void {
    if (this.#closed !== undefined) throw this.#closed;
  }

  /** What is wrong with the way to the server, in words. */
  get trouble(): string | undefined {
    return this.#link.trouble;
  }

  /**
   * @throws LockError what the server refuses; `aborted`, `closed`; `store_unavailable` when it cannot be reached, or does not answer a look;
   * `outcome_unknown` when it does not answer a change that it may have heard.
   */
  make<Answer>(call: Call, expected: Expected<Answer>): Promise<Answered<Answer>> {
    return new Promise((resolve, reject) => {
      this.begin(call, expected, { resolve, reject });
    });
  }

  /** The same, for who wants to be told without a promise. */
  begin<Answer>(call: Call, expected: Expected<Answer>, receiver: Receiver<Answer>): void {
    try {
      this.#begin(call, expected, receiver);
    } catch (error) {
      receiver.reject(error, false);
    }
  }

  #begin<Answer>(call: Call, expected: Expected<Answer>, receiver: Receiver<Answer>): void {
    this.requireOpen();
    if (this.#isClosing && call.waitMs !== undefined) throw closed();
    const { signal } = call;
    if (signal?.aborted) throw aborted(call, signal.reason, 0);
    const now = this.#clock.monotonic();
    const pending = new PendingFor(this, ++this.#lastId, call, now, expected, receiver);
    const message = pending.message();
    checkLength(message);
    this.#pending.set(pending.id, pending);
    this.#wheel.set(pending, now + (call.waitMs ?? 0) + answerTimeoutMs);
    if (signal !== undefined) {
      pending.onAbort = () => this.#onAborted(pending);
      this.#aborts.add(signal, pending.onAbort);
    }
    pending.isSent = this.#link.isUp;
    this.#link.send(message);
  }

  /** An acquire of the path by the agent has no answer yet, and its caller waits for one. */
  isAsking(resourcePath: string, agentId: string): boolean {
    for (const { call, isForsaken } of this.#pending.values()) {
      const isAcquire = call.op === "acquire" || call.op === "acquire_multiple";
      if (!isAcquire || isForsaken || call.fields.agent_id !== agentId) continue;
      if (pathsOf(call.fields).includes(resourcePath)) return true;
    }
    return false;
  }

  /** Before the end: whoever acquires is refused, and what is granted all the same is late. Other calls go on. */
  stopAcquiring(): void {
    this.#isClosing = true;
    for (const pending of this.#pending.values())
      if (pending.call.waitMs !== undefined) this.#forsake(pending, closed());
  }

  /** Rejects what has no answer, and ends the connection. */
  close(): void {
    if (this.#closed !== undefined) return;
    this.#closed = closed();
    for (const pending of this.#pending.values()) this.#refuse(pending, this.#closed);
    this.#pending.clear();
    this.#wheel.close();
    this.#link.close();
  }

  // What comes of them

  #hear(message: object): void {
    if (!("id" in message)) {
      this.#user.onNews(message);
      return;
    }
    const pending = this.#pending.get(Number(message.id));
    if (pending === undefined) return;
    this.#pending.delete(pending.id);
    this.#wheel.remove(pending);
    this.#ignoreSignal(pending);
    if ("result" in message) {
      pending.settle(message.result);
      return;
    }
    const { data } = problemSchema.safeParse("error" in message ? message.error : undefined);
    if (data === undefined) pending.refuse(strange(pending.call));
    else pending.refused(errorOf(data));
  }

  /** The caller hears no more of it, the server is told, and what comes of it all the same is heard by `onLate`. */
  #forsake(pending: Pending, error: LockError): void {
    this.#refuse(pending, error);
    if (pending.isForsaken) return;
    pending.isForsaken = true;
    if (pending.call.waitMs === undefined) return;
    this.#link.send(JSON.stringify({ id: 0, op: "cancel", call: pending.id }));
    this.#wheel.set(pending, this.#clock.monotonic() + answerTimeoutMs);
  }

  onTimeUp(pending: Pending): void {
    if (pending.isForsaken) this.#pending.delete(pending.id);
    else this.#forsake(pending, this.#unanswered(pending, "in time"));
  }

  #onAborted(pending: Pending): void {
    const { call, begunAt } = pending;
    this.#forsake(pending, aborted(call, call.signal?.reason, this.#clock.monotonic() - begunAt));
  }

  #onUp(fresh: boolean): void {
    const before = [...this.#pending.values()];
    if (fresh) this.#user.onFresh();
    for (const pending of before) {
      if (fresh) this.#makeAgain(pending);
      pending.isSent = true;
    }
  }

  #makeAgain(pending: Pending): void {
    pending.isRepeated = pending.isSent;
    if (!pending.isForsaken && !(pending.isSent && pending.call.kind === "once")) {
      this.#link.send(pending.message(this.#clock.monotonic()));
      return;
    }
    // Nobody can tell any more what came of it.
    this.#pending.delete(pending.id);
    this.#wheel.remove(pending);
    this.#refuse(pending, this.#unanswered(pending, "it was started anew meanwhile"));
  }

  #onUnreachable(why: string, forMs: number | undefined): "wait on" | "given up" {
    if (forMs !== undefined && forMs < outageMs) return "wait on";
    for (const pending of this.#pending.values()) {
      this.#wheel.remove(pending);
      this.#refuse(pending, this.#unanswered(pending, why));
    }
    this.#pending.clear();
    return "given up";
  }

  #unanswered({ call, isSent }: Pending, why: string): LockError {
    const action = wordsFor(call);
    if (isSent && call.kind !== "look") {
      const message = `The outcome of the call to ${action} is unknown: the server at ${this.#place} did not answer (${why}).`;
      return new LockError("outcome_unknown", message);
    }
    const message = `Cannot ${action}: the server at ${this.#place} cannot be reached (${why}).`;
    return new LockError("store_unavailable", message, {
      next: [
        "Check the address, and that the server runs.",
        "Nothing was changed: then make the call again.",
      ],
    });
  }

  #refuse(pending: Pending, error: unknown): void {
    this.#ignoreSignal(pending);
    pending.refuse(error);
  }

  #ignoreSignal(pending: Pending): void {
    const { onAbort, call } = pending;
    if (onAbort === undefined || call.signal === undefined) return;
    this.#aborts.remove(call.signal, onAbort);
    pending.onAbort = undefined;
  }
}

function closed(): LockError {
  return new LockError("closed", "The lock manager is closed.");
}

function aborted({ op, fields }: Call, cause: unknown, waitedMs: number): LockError {
  if (op !== "acquire" && op !== "acquire_multiple")
    return new LockError("aborted", "The call was aborted by its caller.", {}, { cause });
  const paths = pathsOf(fields);
  const [resourcePath = "", agentId = ""] = [paths[0], fields.agent_id];
  const message = `The acquire of ${listed(paths)} was aborted by its caller.`;
  return new LockError("aborted", message, { resourcePath, agentId, waitedMs }, { cause });
}

/** @throws LockError `invalid` for what the server would not take. */
function checkLength(message: string): void {
  if (message.length * 3 < maxFrameBytes - frameBytes) return;
  const bytes = new TextEncoder().encode(message).length;
  if (bytes >= maxFrameBytes - frameBytes)
    throw invalid("call", `${bytes} bytes`, `at most ${maxFrameBytes - frameBytes} bytes of JSON`);
}
