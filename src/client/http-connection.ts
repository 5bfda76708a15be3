/** Calls of one server, over connections that are kept. Failures of the network are told apart by whether the server may have heard the call. */
import {
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
} from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { type Cancel, type Clock } from "../clock/clock.js";
import { invalid, LockError } from "../errors.js";
import { durationHeader, storeTimeHeader } from "../protocol/headers.js";
import type { StoreTime } from "./store-time.js";

const maxAnswerBytes = 32 * 1024 * 1024;
const idleConnectionMs = 10_000;
const keepAliveProbeMs = 15_000;

/** How long an answer may take beyond what the call itself waits. */
const answerTimeoutMs = 30_000;

export interface HttpCall {
  readonly method: "GET" | "POST";
  /** Percent-encoded, with its query. */
  readonly path: string;
  /** What it does, for error messages: `acquire "/a"`. */
  readonly action: string;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
  /** How long the server is asked to wait. */
  readonly waitMs?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** The server may have heard the call, but no answer came. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer";
}

export class HttpConnection {
  readonly #base: URL;
  readonly #clock: Clock;
  readonly #storeTime: StoreTime;
  readonly #agent: HttpAgent | HttpsAgent;
  readonly #running = new Set<(reason: LockError) => void>();

  /** @throws LockError `invalid` for what is no address of a server. */
  constructor(url: string, clock: Clock, storeTime: StoreTime) {
    this.#base = parseBase(url);
    this.#clock = clock;
    this.#storeTime = storeTime;
    const options = { keepAlive: true, keepAliveInitialDelay: keepAliveProbeMs, timeout: idleConnectionMs };
    this.#agent = this.#base.protocol === "https:" ? new HttpsAgent(options) : new HttpAgent(options);
  }

  /** For messages: without anything secret that an address may carry. */
  get origin(): string {
    return this.#base.origin;
  }

  /** Ends every call with `reason`, and every connection. */
  close(reason: LockError): void {
    for (const end of this.#running) end(reason);
    this.#agent.destroy();
  }

  /**
   * @throws LockError `store_unavailable` when the server cannot have heard the call, `aborted`, or the reason of `close`.
   * @throws NoAnswer when it may have heard it.
   */
  send(call: HttpCall): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      const { signal } = call;
      if (signal?.aborted) {
        reject(aborted(call, signal));
        return;
      }
      const sentAt = this.#clock.monotonic();
      const body = call.body === undefined ? undefined : Buffer.from(JSON.stringify(call.body));
      let connected = false;
      let settled = false;
      let cancel: Cancel = () => {};
      const settle = (act: () => void): void => {
        if (settled) return;
        settled = true;
        cancel();
        signal?.removeEventListener("abort", onAbort);
        this.#running.delete(end);
        act();
      };
      const fail = (error: Error): void => settle(() => reject(error));
      const end = (reason: Error): void => {
        fail(reason);
        request.destroy();
      };
      const onAbort = (): void => end(aborted(call, signal));

      const request = this.#open(call, body, (response) => {
        const heard = this.#hear(response, sentAt);
        heard.then((answer) => settle(() => resolve(answer)), fail);
      });
      request.on("socket", (socket) => {
        if (!socket.connecting) connected = true;
        else socket.once("connect", () => (connected = true));
      });
      request.on("error", (cause) =>
        fail(connected ? noAnswer(call, cause) : this.#unreachable(call, cause)),
      );
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#running.add(end);
      cancel = this.#clock.after((call.waitMs ?? 0) + answerTimeoutMs, () =>
        end(connected ? noAnswer(call, undefined) : this.#unreachable(call, undefined)),
      );
      request.end(body);
    });
  }

  #open(call: HttpCall, body: Buffer | undefined, onResponse: (response: IncomingMessage) => void) {
    const prefix = this.#base.pathname.replace(/\/$/, "");
    const options: RequestOptions = {
      agent: this.#agent,
      method: call.method,
      protocol: this.#base.protocol,
      // `hostname` of an IPv6 address is in brackets, which the resolver does not want.
      hostname: this.#base.hostname.replace(/^\[|\]$/g, ""),
      port: this.#base.port,
      path: `${prefix}${call.path}`,
      headers: {
        accept: "application/json",
        ...(body !== undefined && { "content-type": "application/json", "content-length": body.length }),
        ...call.headers,
      },
    };
    return this.#base.protocol === "https:"
      ? httpsRequest(options, onResponse)
      : httpRequest(options, onResponse);
  }

  async #hear(response: IncomingMessage, sentAt: number): Promise<HttpAnswer> {
    this.#noteTime(response, sentAt);
    const chunks: Buffer[] = [];
    let size = 0;
    try {
      for await (const chunk of response) {
        if (!Buffer.isBuffer(chunk)) continue;
        size += chunk.length;
        if (size > maxAnswerBytes) throw new NoAnswer("The answer of the server is too long.");
        chunks.push(chunk);
      }
    } catch (cause) {
      throw cause instanceof NoAnswer
        ? cause
        : new NoAnswer("The answer of the server was cut off.", { cause });
    }
    const contentType = response.headers["content-type"] ?? "";
    return { status: response.statusCode ?? 0, contentType, body: Buffer.concat(chunks).toString("utf8") };
  }

  /** The answer was made at least `took` after we began to ask. */
  #noteTime({ headers }: IncomingMessage, sentAt: number): void {
    const storeTime = headers[storeTimeHeader];
    const storeMs = typeof storeTime === "string" ? Date.parse(storeTime) : Number.NaN;
    if (Number.isNaN(storeMs)) return;
    const took = /^total;dur=(\d+(?:\.\d+)?)$/.exec(String(headers[durationHeader]))?.[1];
    const now = this.#clock.monotonic();
    this.#storeTime.note(storeMs, Math.min(sentAt + Number(took ?? 0), now));
  }

  #unreachable({ action }: HttpCall, cause: Error | undefined): LockError {
    const why = cause === undefined ? "it does not answer" : reasonOf(cause);
    return new LockError(
      "store_unavailable",
      `Cannot ${action}: the server at ${this.origin} cannot be reached (${why}).`,
      {
        next: [
          "Check the address, and that the server runs.",
          "Nothing was changed: then make the call again.",
        ],
      },
      { cause },
    );
  }
}

function parseBase(url: string): URL {
  const allowed = 'the address of a server, such as "http://127.0.0.1:7420"';
  if (!URL.canParse(url)) throw invalid("url", url, allowed);
  const base = new URL(url);
  if (base.protocol !== "http:" && base.protocol !== "https:") throw invalid("url", url, allowed);
  if (base.username !== "" || base.password !== "" || base.search !== "" || base.hash !== "")
    throw invalid("url", base.origin, `${allowed}, without user, query and fragment`);
  return base;
}

function aborted({ action }: HttpCall, signal: AbortSignal | undefined): LockError {
  const cause: unknown = signal?.reason;
  return new LockError("aborted", `The call to ${action} was aborted by its caller.`, {}, { cause });
}

function noAnswer({ action }: HttpCall, cause: Error | undefined): NoAnswer {
  const why = cause === undefined ? "in time" : `(${reasonOf(cause)})`;
  return new NoAnswer(`The server did not answer the call to ${action} ${why}.`, { cause });
}

/** The system's short name for it where there is one. */
function reasonOf(error: Error): string {
  return "code" in error && typeof error.code === "string" ? error.code : error.message;
}
