/** One caller's talk with the server, over one connection after another. */
import { invalid, LockError } from "../../errors.js";
import type { AcquiredLock, CallSignal, LockManager } from "../../lock-manager.js";
import { Handle } from "../../manager/handle.js";
import type { End, EndListener } from "../../manager/lock-end.js";
import { problemOf } from "../../protocol/problem.js";
import { parseAs } from "../../protocol/validation.js";
import { type Call, type Op, seenSchema } from "../../protocol/wire.js";
import { isExpected } from "../refusal-answer.js";
import { theAgent } from "../request-agent.js";
import type { Services } from "../services.js";
import { type Caller, calls, looks } from "./calls.js";
import { Cancellation } from "./cancellation.js";
import { Looks } from "./looks.js";
import { Outbox } from "./outbox.js";
import { closeCodes, type Pipe } from "./pipe.js";
import { mostCalls, problemOfAny, tooManyCalls } from "./refusals.js";
import { Subscriptions } from "./subscriptions.js";

/** Events and long answers are told no faster than this much of them is read. */
const crowdedBytes = 256 * 1024;

export interface SessionTerms {
  readonly id: string;
  /** The agent that the connection stands for, if it names one. */
  readonly agentId: string | undefined;
  /** How long it outlives its connection. Zero: not at all, and nothing is kept for sending it again. */
  readonly graceMs: number;
}

export class Session implements Caller, EndListener {
  readonly id: string;
  readonly graceMs: number;
  readonly manager: LockManager;
  readonly subscriptions: Subscriptions;
  readonly #services: Services;
  readonly #agentId: string | undefined;
  readonly #outbox: Outbox;
  readonly #looks: Looks;
  readonly #waiting = new Map<number, Cancellation>();
  /** Ids of locks that the caller releases just now. */
  readonly #leaving = new Set<string>();
  /** By lock id and path. */
  readonly #bound = new Map<string, AcquiredLock>();
  /** Granted while there was no connection. */
  #untold: AcquiredLock[] = [];
  #pipe: Pipe | undefined = undefined;
  #seen = 0;
  #calls = 0;
  #isOver = false;
  #whenIdle: (() => void) | undefined = undefined;

  constructor(services: Services, terms: SessionTerms) {
    this.#services = services;
    this.manager = services.manager;
    this.id = terms.id;
    this.graceMs = terms.graceMs;
    this.#agentId = terms.agentId;
    this.#outbox = new Outbox({
      head: () => `{"seen":${this.#seen},"store_time":"${this.manager.currentTime().toISOString()}"}`,
      keeps: () => this.graceMs > 0 && !this.#isOver,
      onTooSlow: () => this.#cutOff(),
    });
    const isCrowded = (): boolean => this.#outbox.waitingBytes > crowdedBytes;
    this.subscriptions = new Subscriptions({
      events: services.events,
      tell: (message) => this.#outbox.tell(message),
      isCrowded,
    });
    this.#looks = new Looks({ isCrowded, answer: (answer) => this.#answer(answer) });
  }

  /** Frames of the caller that were taken in. */
  get seen(): number {
    return this.#seen;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Goes on over this connection. @param seen how many frames of this session the caller has seen. */
  attach(pipe: Pipe, seen: number): void {
    this.#pipe?.close(closeCodes.policy, "The session goes on over another connection.");
    this.#pipe = pipe;
    this.#untold = [];
    this.#outbox.seen(seen);
    this.#outbox.attach(pipe);
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
  }

  /** Whoever waits leaves the queue, and what was granted and never told of, or was bound to this session, is given back. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const gone = new LockError("aborted", "The caller is gone.");
    for (const waiting of this.#waiting.values()) waiting.abort(gone);
    for (const lock of [...this.#untold, ...this.#bound.values()]) this.#giveBack(lock);
    this.#untold = [];
    this.subscriptions.closeAll();
    this.#looks.clear();
    this.#outbox.clear();
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

  #cutOff(): void {
    this.#services.log.warn({ session: this.id }, "a caller that does not read is cut off");
    const pipe = this.#pipe;
    this.end();
    pipe?.close(closeCodes.tooSlow, "Too much is waiting to be read.");
  }

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
    this.#calls++;
    if (looks.has(message.op) && this.#calls <= mostCalls) {
      this.#looks.add({
        make: async () => `{"id":${id},"result":${JSON.stringify(await this.#run(message))}}`,
        refuse: (error) => this.#refusal(id, error),
      });
      return;
    }
    this.#run(message).then(
      (result) => this.#answer(`{"id":${id},"result":${JSON.stringify(result)}}`),
      (error: unknown) => {
        this.#refuse(id, error);
        this.#answer();
      },
    );
  }

  async #run(message: { readonly op: unknown }): Promise<object> {
    const { op } = message;
    if (this.#calls > mostCalls) throw tooManyCalls();
    if (!isOp(op)) throw invalid("op", op, `one of ${Object.keys(calls).join(", ")}`);
    return calls[op](this, message);
  }

  #answer(message?: string): void {
    this.#calls--;
    if (message !== undefined && !this.#isOver) this.#outbox.tell(message);
    this.#noticeIdle();
  }

  #noticeIdle(): void {
    if (this.#isOver || this.#calls <= this.#waiting.size) this.#whenIdle?.();
  }

  #refuse(id: number | null, error: unknown): void {
    if (!this.#isOver) this.#outbox.tell(this.#refusal(id, error));
  }

  #refusal(id: number | null, error: unknown): string {
    if (!isExpected(error)) this.#services.log.error({ session: this.id, err: error }, "unexpected failure");
    return `{"id":${id},"error":${JSON.stringify(problemOfAny(error, this.manager.currentTime()))}}`;
  }

  // For the calls

  agent(fromCall: string | undefined): string | undefined {
    return theAgent(this.#agentId, fromCall);
  }

  async acquire(
    { id, bound }: Call<"acquire" | "acquire_multiple">,
    acquire: (signal: CallSignal) => Promise<readonly AcquiredLock[]>,
  ): Promise<readonly AcquiredLock[]> {
    if (this.#waiting.has(id)) throw invalid("id", id, "a number that no acquire has which still waits");
    const signal = new Cancellation();
    this.#waiting.set(id, signal);
    try {
      const locks = await acquire(signal);
      for (const lock of locks) this.#keep(lock, bound === true);
      return locks;
    } finally {
      this.#waiting.delete(id);
    }
  }

  cancel(id: number): boolean {
    const waiting = this.#waiting.get(id);
    waiting?.abort(new LockError("aborted", "The acquire was called off."));
    return waiting !== undefined;
  }

  async releasing<T>(lockIds: readonly (string | undefined)[], release: () => Promise<T>): Promise<T> {
    for (const lockId of lockIds) if (lockId !== undefined) this.#leaving.add(lockId);
    try {
      return await release();
    } finally {
      for (const lockId of lockIds) if (lockId !== undefined) this.#leaving.delete(lockId);
    }
  }

  #keep(lock: AcquiredLock, isBound: boolean): void {
    if (this.#isOver) {
      this.#giveBack(lock);
      return;
    }
    if (this.#pipe === undefined) this.#untold.push(lock);
    if (isBound) this.#bound.set(nameOf(lock), lock);
    if (lock instanceof Handle) lock.whenEnded(this);
  }

  lockEnded(
    lock: { readonly resourcePath: string; readonly lockId: string },
    end: End,
    why: () => LockError,
  ): void {
    this.#bound.delete(nameOf(lock));
    if (this.#isOver || end === "closed" || (end === "released" && this.#leaving.has(lock.lockId))) return;
    const problem = problemOf(why(), { now: this.manager.currentTime() });
    const lost = { resource_path: lock.resourcePath, lock_id: lock.lockId, problem };
    this.#outbox.tell(JSON.stringify({ lost }));
  }

  #giveBack(lock: AcquiredLock): void {
    const { background, log } = this.#services;
    background.run(
      () => lock.release(),
      (error) =>
        log.warn({ err: error }, "could not give back the lock of a caller that is gone; it will expire"),
    );
  }
}

function isOp(op: unknown): op is Op {
  return typeof op === "string" && Object.hasOwn(calls, op);
}

/** The id as far as there is one to answer to. */
function idOf(message: object): number | null {
  return "id" in message && Number.isSafeInteger(message.id) ? Number(message.id) : null;
}

function nameOf(lock: { readonly lockId: string; readonly resourcePath: string }): string {
  return `${lock.lockId} ${lock.resourcePath}`;
}
