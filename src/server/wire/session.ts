/** One caller's talk with the server, over one connection after another. */
import { ChurnMap } from "../../churn-map.js";
import { invalid, LockError } from "../../errors.js";
import type { AcquiredLock, LockManager } from "../../lock-manager.js";
import { parseAs } from "../../protocol/validation.js";
import { type Op, seenSchema } from "../../protocol/wire.js";
import { Cancellation } from "../cancellation.js";
import { isExpected } from "../refusal-answer.js";
import { theAgent } from "../request-agent.js";
import type { Services } from "../services.js";
import { type Caller, calls, looks, waits } from "./calls.js";
import { Looks } from "./looks.js";
import { Outbox } from "./outbox.js";
import { closeCodes, type Pipe } from "./pipe.js";
import { mostCalls, problemOfAny, tooManyCalls } from "./refusals.js";
import { SessionLocks } from "./session-locks.js";
import { Subscriptions } from "./subscriptions.js";
import type { Share } from "./unread.js";

/** Events and long answers are told no faster than this much of them is read. */
const crowdedBytes = 256 * 1024;

export interface SessionTerms {
  readonly id: string;
  /** The agent that the connection stands for, if it names one. */
  readonly agentId: string | undefined;
  /** How long it outlives its connection. Zero: not at all, and nothing is kept for sending it again. */
  readonly graceMs: number;
}

export class Session implements Caller {
  readonly id: string;
  readonly agentId: string | undefined;
  readonly graceMs: number;
  readonly manager: LockManager;
  readonly subscriptions: Subscriptions;
  readonly locks: SessionLocks;
  /** What is kept for the caller to read, as far as that is known. */
  readonly unread: Share;
  readonly #services: Services;
  readonly #outbox: Outbox;
  readonly #looks: Looks;
  readonly #waiting = new ChurnMap<number, Cancellation>();
  #pipe: Pipe | undefined = undefined;
  #seen = 0;
  #calls = 0;
  #isOver = false;
  #whenIdle: (() => void) | undefined = undefined;

  constructor(services: Services, unread: Share, terms: SessionTerms) {
    this.#services = services;
    this.unread = unread;
    this.manager = services.manager;
    this.id = terms.id;
    this.graceMs = terms.graceMs;
    this.agentId = terms.agentId;
    this.#outbox = new Outbox({
      head: () => `{"seen":${this.#seen},"store_time":"${this.manager.currentTime().toISOString()}"}`,
      keeps: () => this.graceMs > 0 && !this.#isOver,
      onTooSlow: () => this.cutOff(),
      onFlushed: this.#countUnread,
    });
    const isCrowded = (): boolean => this.#outbox.waitingBytes > crowdedBytes;
    const tell = (message: string): void => this.#outbox.tell(message);
    this.subscriptions = new Subscriptions({ events: services.events, tell, isCrowded });
    this.locks = new SessionLocks(services, tell);
    const answer = (text: string): void => this.#answerLook(text);
    this.#looks = new Looks({ isCrowded, answer, onMade: this.#countUnread });
  }

  /** Frames of the caller that were taken in. */
  get seen(): number {
    return this.#seen;
  }

  /** Whoever knows the whole id can go on with the session. */
  get #nameInLogs(): string {
    return this.id.slice(0, 8);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Goes on over this connection. @param seen how many frames of this session the caller has seen. */
  attach(pipe: Pipe, seen: number): void {
    this.#pipe?.close(closeCodes.policy, "The session goes on over another connection.");
    this.#pipe = pipe;
    this.locks.told();
    this.#outbox.seen(seen);
    this.#outbox.attach(pipe);
    this.#countUnread();
  }

  /** Whether it goes on over this connection, and not over another one or not at all. */
  isOn(pipe: Pipe): boolean {
    return this.#pipe === pipe;
  }

  /** False when the session is not on this connection. */
  detach(pipe: Pipe): boolean {
    if (!this.isOn(pipe)) return false;
    this.#pipe = undefined;
    this.#outbox.detach();
    this.#countUnread();
    return true;
  }

  /** Takes in one frame. */
  receive(messages: readonly unknown[]): void {
    this.#seen++;
    for (const message of messages) this.#hear(message);
    this.goOn();
  }

  /** The caller may have read something, so that there is room for more. */
  goOn(): void {
    this.subscriptions.readOn();
    this.#looks.goOn();
    this.#countUnread();
  }

  /** Whoever waits leaves the queue, and what was granted and never told of, or was bound to this session, is given back. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const gone = new LockError("aborted", "The caller is gone.");
    for (const waiting of this.#waiting.values()) waiting.abort(gone);
    this.locks.end();
    this.subscriptions.closeAll();
    this.#looks.clear();
    this.#outbox.clear();
    this.#countUnread();
    this.#pipe = undefined;
    this.#noticeIdle();
  }

  /** Resolves once no call is left but those that wait. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#whenIdle = resolve;
      this.#noticeIdle();
    });
  }

  close(code: number, reason: string): void {
    this.#outbox.flush();
    this.#pipe?.close(code, reason);
  }

  /** Ends it, because its caller leaves too much unread. */
  cutOff(): void {
    this.#services.log.warn({ session: this.#nameInLogs }, "a caller that does not read is cut off");
    const pipe = this.#pipe;
    this.end();
    pipe?.close(closeCodes.tooSlow, "Too much is waiting to be read.");
  }

  readonly #countUnread = (): void => {
    this.unread.set(this.#outbox.waitingBytes + this.#looks.keptBytes);
  };

  // What the caller says

  #hear(message: unknown): void {
    if (typeof message === "object" && message !== null && "op" in message) {
      this.#call(message);
      return;
    }
    try {
      this.#outbox.seen(parseAs(seenSchema, message).seen);
    } catch (error) {
      this.#refuse(null, error);
    }
  }

  #call(message: { readonly op: unknown }): void {
    const id = idOf(message);
    if (id !== null && this.#waiting.has(id)) {
      this.#refuse(id, invalid("id", id, "a number that no acquire has which still waits"));
      return;
    }
    this.#calls++;
    // Any other call of the same id, begun before, says nothing about an acquire.
    const waitId = waits.has(message.op) ? id : null;
    if (looks.has(message.op) && this.#calls <= mostCalls) {
      this.#looks.make(() => this.#look(id, message), message);
      return;
    }
    try {
      const answer = this.#begin(message);
      if (!(answer instanceof Promise)) this.#answer(id, answer, waitId);
      else {
        answer.then(
          (result: object) => this.#answer(id, result, waitId),
          (error: unknown) => this.#refuseCall(id, error, waitId),
        );
      }
    } catch (error) {
      this.#refuseCall(id, error, waitId);
    }
  }

  async #look(id: number | null, message: { readonly op: unknown }): Promise<string> {
    try {
      return resultOf(id, await this.#begin(message));
    } catch (error) {
      return this.#refusal(id, error);
    }
  }

  #begin(message: { readonly op: unknown }): object | Promise<object> {
    const { op } = message;
    if (this.#calls > mostCalls) throw tooManyCalls();
    if (!isOp(op)) throw invalid("op", op, `one of ${Object.keys(calls).join(", ")}`);
    return calls[op](this, message);
  }

  #answer(id: number | null, result: object, waitId: number | null): void {
    if (!this.#isOver) this.#outbox.tell(resultOf(id, result));
    this.#answered(waitId);
  }

  #answerLook(answer: string): void {
    if (!this.#isOver) this.#outbox.tell(answer);
    this.#answered(null);
  }

  #refuseCall(id: number | null, error: unknown, waitId: number | null): void {
    this.#refuse(id, error);
    this.#answered(waitId);
  }

  #answered(waitId: number | null): void {
    this.#calls--;
    if (waitId !== null) this.#waiting.delete(waitId);
    this.#noticeIdle();
  }

  #noticeIdle(): void {
    if (this.#isOver || this.#calls <= this.#waiting.size) this.#whenIdle?.();
  }

  #refuse(id: number | null, error: unknown): void {
    if (!this.#isOver) this.#outbox.tell(this.#refusal(id, error));
  }

  #refusal(id: number | null, error: unknown): string {
    if (!isExpected(error))
      this.#services.log.error({ session: this.#nameInLogs, err: error }, "unexpected failure");
    return `{"id":${id},"error":${JSON.stringify(problemOfAny(error, this.manager.currentTime()))}}`;
  }

  // For the calls

  agent(fromCall: string | undefined): string | undefined {
    return theAgent(this.agentId, fromCall);
  }

  cancellation(id: number): Cancellation {
    const cancellation = new Cancellation();
    this.#waiting.set(id, cancellation);
    return cancellation;
  }

  cancel(id: number): boolean {
    const waiting = this.#waiting.get(id);
    waiting?.abort(new LockError("aborted", "The acquire was called off."));
    return waiting !== undefined;
  }

  keep(lock: AcquiredLock, isBound: boolean): void {
    this.locks.keep(lock, isBound, this.#pipe !== undefined);
  }
}

function resultOf(id: number | null, result: object): string {
  return `{"id":${id},"result":${JSON.stringify(result)}}`;
}

function isOp(op: unknown): op is Op {
  return typeof op === "string" && Object.hasOwn(calls, op);
}

/** The id as far as there is one to answer to. */
function idOf(message: object): number | null {
  return "id" in message && Number.isSafeInteger(message.id) ? Number(message.id) : null;
}
