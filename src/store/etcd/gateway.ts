/**
 * etcd's JSON gateway: requests to the members of one cluster, one of which is asked for as long as it answers.
 *
 * Rejects with a `StoreError` whose outcome says whether the request may have been carried out.
 */
import { setMaxListeners } from "node:events";
import { Pool } from "undici";
import type { Clock } from "../../clock/clock.js";
import { StoreError } from "../store.js";
import type { EtcdAddress } from "./address.js";
import { parsed } from "./answers.js";
import { type Answer, exchange, NoAnswer } from "./exchange.js";
import { EtcdRefusal } from "./refusals.js";

const timeLimitMs = 5_000;
const connectTimeLimitMs = 2_000;
const mostConnections = 16;

export interface AskOptions {
  /** Asking again does no harm, so that another member can be asked after any failure. */
  readonly idempotent: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly timeLimitMs?: number;
}

export class Gateway {
  readonly #address: EtcdAddress;
  readonly #clock: Clock;
  readonly #pools: readonly Pool[];
  readonly #closing = new AbortController();
  #at = 0;
  #token: Promise<string> | undefined;
  /** Told whenever a member failed to answer, so that what else depends on it can look after itself. */
  onTrouble: () => void = () => {};

  constructor(address: EtcdAddress, clock: Clock) {
    this.#address = address;
    this.#clock = clock;
    const connect = { ...address.tls, timeout: connectTimeLimitMs };
    this.#pools = address.endpoints.map(
      (origin) => new Pool(origin, { connections: mostConnections, connect }),
    );
    // One listener for each request under way.
    setMaxListeners(0, this.#closing.signal);
  }

  /** The answer to one request. As long as that does no harm and there is time, it is made again, to each member and to the first one twice. */
  async ask(path: string, body: string, options: AskOptions): Promise<string> {
    const renewed = { token: false };
    const over = this.#clock.monotonic() + (options.timeLimitMs ?? timeLimitMs);
    for (let tries = 1; ; tries++) {
      const member = this.#at;
      const leftMs = over - this.#clock.monotonic();
      try {
        return (await this.#post(member, path, body, { ...options, timeLimitMs: leftMs })).body;
      } catch (error) {
        const again = this.#isWorthAnother(error, member, renewed);
        const harmless = options.idempotent || (error instanceof StoreError && error.outcome === "none");
        const isLast = tries > this.#pools.length || this.#clock.monotonic() >= over;
        if (!again || !harmless || isLast) throw error;
      }
    }
  }

  /** Takes the lines of an answer that goes on until the signal aborts or the connection breaks. Never resolves otherwise. */
  async follow(
    path: string,
    body: string,
    onLine: (line: string) => void,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#post(this.#at, path, body, { idempotent: true, signal }, onLine);
  }

  /** Ends every request under way and every connection. Idempotent. */
  async close(): Promise<void> {
    this.#closing.abort(new Error("The store was closed."));
    await Promise.all(this.#pools.map((pool) => pool.destroy()));
  }

  /** Whether the same request may fare better at once: with a new token, or at another member. */
  #isWorthAnother(error: unknown, member: number, renewed: { token: boolean }): boolean {
    if (error instanceof StoreError && error.cause instanceof NoAnswer && error.cause.givenUp) return false;
    if (!(error instanceof EtcdRefusal)) return this.#moveOn(member);
    if (error.remedy === "another member") return this.#moveOn(member);
    if (error.remedy !== "authenticate" || this.#address.user === undefined || renewed.token) return false;
    renewed.token = true;
    this.#token = undefined;
    return true;
  }

  /**
   * From now on the next member is asked, unless somebody else has moved on already. With one member that is the same again: what failed may have been
   * an old connection only. False when all is over.
   */
  #moveOn(from: number): boolean {
    if (this.#closing.signal.aborted) return false;
    if (this.#at === from) this.#at = (from + 1) % this.#pools.length;
    this.onTrouble();
    return true;
  }

  async #post(
    member: number,
    path: string,
    body: string,
    options: AskOptions,
    onLine?: (line: string) => void,
  ): Promise<Answer> {
    const token = await this.#authenticated(member);
    const signal = options.signal;
    const headers = { ...plainHeaders, ...(token !== undefined && { authorization: token }) };
    return this.#exchange(member, {
      path,
      body,
      headers,
      timeLimitMs: options.timeLimitMs ?? timeLimitMs,
      signal: signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal]),
      ...(onLine && { onLine }),
    });
  }

  async #exchange(member: number, post: Parameters<typeof exchange>[2]): Promise<Answer> {
    const endpoint = this.#address.endpoints[member] ?? "";
    const pool = this.#pools[member];
    if (pool === undefined) throw new Error(`There is no member ${member}.`);
    let answer: Answer;
    try {
      answer = await exchange(pool, this.#clock, post);
    } catch (cause) {
      if (!(cause instanceof NoAnswer)) throw cause;
      throw new StoreError(`etcd at ${endpoint} did not answer: ${cause.message}.`, {
        outcome: cause.sent ? "unknown" : "none",
        retryable: true,
        cause,
      });
    }
    if (answer.status === 200) return answer;
    throw refusalOf(endpoint, answer);
  }

  #authenticated(member: number): Promise<string> | undefined {
    const { user } = this.#address;
    if (user === undefined) return undefined;
    if (this.#token === undefined) {
      const token = this.#authenticate(member, user);
      this.#token = token;
      token.catch(() => {
        if (this.#token === token) this.#token = undefined;
      });
    }
    return this.#token;
  }

  async #authenticate(member: number, user: { name: string; password: string }): Promise<string> {
    try {
      const { body } = await this.#exchange(member, {
        path: "/v3/auth/authenticate",
        body: JSON.stringify(user),
        headers: plainHeaders,
        timeLimitMs,
        signal: this.#closing.signal,
      });
      return parsed<{ readonly token: string }>(body).token;
    } catch (error) {
      // Whatever became of it: the request that needs the token was not sent.
      if (!(error instanceof StoreError) || error.outcome === "none") throw error;
      throw new StoreError(error.message, { outcome: "none", retryable: error.retryable, cause: error });
    }
  }
}

/** A member that has lost its leader says so, instead of letting the request wait for one. */
const plainHeaders = { "content-type": "application/json", "grpc-metadata-hasleader": "true" };

interface Problem {
  /** Of gRPC. */
  readonly code?: number;
  readonly message?: string;
  readonly error?: string;
}

const unknownCode = 2;

function refusalOf(endpoint: string, { status, body }: Answer): StoreError {
  let problem: Problem;
  try {
    problem = parsed<Problem>(body);
  } catch (cause) {
    return new StoreError(
      `What answers at ${endpoint} is no JSON gateway of etcd 3.4 or later (status ${status}).`,
      { outcome: status >= 500 ? "unknown" : "none", retryable: status >= 500, cause },
    );
  }
  const { code = unknownCode, message = problem.error ?? body } = problem;
  return new EtcdRefusal(endpoint, code, message);
}
