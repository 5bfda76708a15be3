/**
 * Requests to the members of one cluster, one of which is asked for as long as it answers.
 *
 * Rejects with a `StoreError` whose outcome says whether the request may have been carried out.
 */
import { setMaxListeners } from "node:events";
import type { Clock } from "../../clock/clock.js";
import { StoreError } from "../store.js";
import type { EtcdAddress } from "./address.js";
import { type Call, Channel, NoAnswer, Refused } from "./channel.js";
import { readToken } from "./messages.js";
import { field, message } from "./protobuf.js";
import { EtcdRefusal } from "./refusals.js";

const timeLimitMs = 5_000;

export interface AskOptions {
  /** Asking again does no harm, so that another member can be asked after any failure. */
  readonly idempotent: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly timeLimitMs?: number;
}

interface Member {
  readonly endpoint: string;
  readonly channel: Channel;
}

export class Cluster {
  readonly #user: EtcdAddress["user"];
  readonly #clock: Clock;
  readonly #members: readonly Member[];
  readonly #closing = new AbortController();
  #at = 0;
  #token: Promise<string> | undefined;
  /** Told whenever a member failed to answer, so that what else depends on it can look after itself. */
  onTrouble: () => void = () => {};

  constructor({ endpoints, user, tls }: EtcdAddress, clock: Clock) {
    this.#user = user;
    this.#clock = clock;
    this.#members = endpoints.map((endpoint) => ({ endpoint, channel: new Channel(endpoint, tls, clock) }));
    // One listener for each request under way.
    setMaxListeners(0, this.#closing.signal);
  }

  /** The answer to one request. As long as that does no harm and there is time, it is made again, to each member and to the first one twice. */
  async ask(method: string, request: Buffer, options: AskOptions): Promise<Buffer> {
    const renewed = { token: false };
    const over = this.#clock.monotonic() + (options.timeLimitMs ?? timeLimitMs);
    for (let tries = 1; ; tries++) {
      const member = this.#member();
      try {
        const token = await this.#authenticated(member);
        const leftMs = over - this.#clock.monotonic();
        return await this.#call(member, {
          method,
          message: request,
          token,
          timeLimitMs: leftMs,
          signal: options.signal,
        });
      } catch (error) {
        const again = this.#isWorthAnother(error, member, renewed);
        const harmless = options.idempotent || (error instanceof StoreError && error.outcome === "none");
        const isLast = tries > this.#members.length || this.#clock.monotonic() >= over;
        if (!again || !harmless || isLast) throw error;
      }
    }
  }

  /** Takes the messages of an answer that goes on until the signal aborts or the connection breaks. */
  async follow(
    method: string,
    request: Buffer,
    onMessage: (message: Buffer) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const member = this.#member();
    const token = await this.#authenticated(member);
    await this.#call(member, { method, message: request, token, timeLimitMs, signal, onMessage });
  }

  /** Ends every request under way and every connection. Idempotent. */
  close(): void {
    this.#closing.abort(new Error("The store was closed."));
    for (const { channel } of this.#members) channel.close();
  }

  #member(): Member {
    const member = this.#members[this.#at];
    if (member === undefined) throw new Error("A cluster has at least one member.");
    return member;
  }

  /** Whether the same request may fare better at once: with a new token, or at another member. */
  #isWorthAnother(error: unknown, member: Member, renewed: { token: boolean }): boolean {
    if (error instanceof StoreError && error.cause instanceof NoAnswer && error.cause.givenUp) return false;
    if (!(error instanceof EtcdRefusal)) return this.#moveOn(member);
    if (error.remedy === "another member") return this.#moveOn(member);
    if (error.remedy !== "authenticate" || this.#user === undefined || renewed.token) return false;
    renewed.token = true;
    this.#token = undefined;
    return true;
  }

  /**
   * From now on the next member is asked, unless somebody else has moved on already. With one member that is the same again: what failed may have been
   * an old connection only. False when all is over.
   */
  #moveOn(from: Member): boolean {
    if (this.#closing.signal.aborted) return false;
    if (this.#member() === from) this.#at = (this.#at + 1) % this.#members.length;
    this.onTrouble();
    return true;
  }

  async #call({ endpoint, channel }: Member, call: Call): Promise<Buffer> {
    const closing = this.#closing.signal;
    const signal = call.signal === undefined ? closing : AbortSignal.any([call.signal, closing]);
    try {
      return await channel.call({ ...call, signal });
    } catch (cause) {
      if (cause instanceof Refused) throw new EtcdRefusal(endpoint, cause);
      if (!(cause instanceof NoAnswer)) throw cause;
      throw new StoreError(`etcd at ${endpoint} did not answer: ${cause.message}.`, {
        outcome: cause.sent ? "unknown" : "none",
        retryable: !isDistrusted(cause.cause),
        cause,
      });
    }
  }

  #authenticated(member: Member): Promise<string> | undefined {
    if (this.#user === undefined) return undefined;
    if (this.#token === undefined) {
      const token = this.#authenticate(member, this.#user);
      this.#token = token;
      token.catch(() => {
        if (this.#token === token) this.#token = undefined;
      });
    }
    return this.#token;
  }

  async #authenticate(member: Member, { name, password }: NonNullable<EtcdAddress["user"]>): Promise<string> {
    try {
      const answer = await this.#call(member, {
        method: "etcdserverpb.Auth/Authenticate",
        message: message(field(1, name), field(2, password)),
        token: undefined,
        timeLimitMs,
        signal: undefined,
      });
      return readToken(answer);
    } catch (error) {
      // Whatever became of it: the request that needs the token was not sent.
      if (!(error instanceof StoreError) || error.outcome === "none") throw error;
      throw new StoreError(error.message, { outcome: "none", retryable: error.retryable, cause: error });
    }
  }
}

/**
 * One of both sides does not accept the other's certificate: another try does not change that. The codes are those of Node and OpenSSL, of what a
 * cancelled stream was cancelled for.
 */
function isDistrusted(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = "code" in error ? String(error.code) : "";
  return (
    /^(ERR_TLS_|ERR_SSL_|CERT_|SELF_SIGNED_|DEPTH_ZERO_|UNABLE_TO_)/.test(code) || isDistrusted(error.cause)
  );
}
