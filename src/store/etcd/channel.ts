/** Calls of one member of the cluster by gRPC, over one connection that is made when it is needed and dropped when a call gets no answer. */
import { setMaxListeners } from "node:events";
import { type ClientHttp2Session, connect, constants, type IncomingHttpHeaders } from "node:http2";
import type { Clock } from "../../clock/clock.js";
import type { Tls } from "./address.js";

const connectTimeLimitMs = 2_000;
/** The length of a message stands before it, after a byte that says whether it is compressed. */
const prefixBytes = 5;
/** What may be on its way to us: of one answer, and of all. Node's own limits are for web pages. */
const windowBytes = { answer: 2 ** 22, all: 2 ** 24 };

export interface Call {
  /** `etcdserverpb.KV/Txn` */
  readonly method: string;
  readonly message: Buffer;
  readonly token: string | undefined;
  /** Milliseconds until the answer is whole; with `onMessage` until its first message. */
  readonly timeLimitMs: number;
  readonly signal: AbortSignal | undefined;
  /** Takes the messages of an answer that does not end. */
  readonly onMessage?: ((message: Buffer) => void) | undefined;
}

/** No answer came, or only a part of one. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer";
  /** False: surely the member has seen nothing of the call. */
  readonly sent: boolean;
  /** The caller gave up by its signal; nothing is wrong with the member. */
  readonly givenUp: boolean;

  constructor(
    message: string,
    fate: { readonly sent: boolean; readonly givenUp: boolean; readonly cause?: unknown },
  ) {
    super(message, { cause: fate.cause });
    this.sent = fate.sent;
    this.givenUp = fate.givenUp;
  }
}

/** The member answered, and refused: a status of gRPC other than 0. */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly code: number;

  constructor(code: number, text: string) {
    super(text);
    this.code = code;
  }
}

export class Channel {
  readonly #origin: string;
  readonly #tls: Tls | undefined;
  readonly #clock: Clock;
  #session: ClientHttp2Session | undefined;

  constructor(origin: string, tls: Tls | undefined, clock: Clock) {
    this.#origin = origin;
    this.#tls = tls;
    this.#clock = clock;
  }

  /**
   * The message of the answer.
   *
   * @throws NoAnswer, Refused
   */
  call({ method, message, token, timeLimitMs, signal, onMessage }: Call): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(new NoAnswer("the caller gave up", { sent: false, givenUp: true, cause: signal.reason }));
        return;
      }
      const session = this.#connected();
      let sent = !session.connecting;
      const onConnect = (): void => {
        sent = true;
      };
      session.once("connect", onConnect);

      const stream = session.request({
        ":method": "POST",
        ":path": `/${method}`,
        "content-type": "application/grpc",
        te: "trailers",
        // A member that has lost its leader says so, instead of letting the request wait for one.
        hasleader: "true",
        ...(token !== undefined && { token }),
      });
      let rest: Buffer = Buffer.alloc(0);
      let answer: Buffer = rest;
      let status: IncomingHttpHeaders = {};
      let isSettled = false;

      const settle = (act: () => void): void => {
        if (isSettled) return;
        isSettled = true;
        cancel();
        session.off("connect", onConnect);
        signal?.removeEventListener("abort", onAbort);
        act();
      };
      const fail = (why: string, givenUp: boolean, cause?: unknown): void =>
        settle(() => reject(new NoAnswer(why, { sent, givenUp, cause })));
      const onAbort = (): void => {
        fail("the caller gave up", true, signal?.reason);
        stream.close(constants.NGHTTP2_CANCEL);
      };
      const cancel = this.#clock.after(timeLimitMs, () => {
        fail(`no answer within ${Math.ceil(timeLimitMs)} ms`, false);
        session.destroy();
      });
      signal?.addEventListener("abort", onAbort, { once: true });

      stream.on("response", (headers: IncomingHttpHeaders) => {
        status = headers;
      });
      stream.on("trailers", (headers: IncomingHttpHeaders) => {
        status = { ...status, ...headers };
      });
      stream.on("data", (chunk: Buffer) => {
        rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
        for (;;) {
          const length = rest.length < prefixBytes ? Infinity : rest.readUInt32BE(1);
          if (rest.length < prefixBytes + length) return;
          answer = rest.subarray(prefixBytes, prefixBytes + length);
          rest = rest.subarray(prefixBytes + length);
          if (onMessage === undefined || isSettled) continue;
          cancel();
          onMessage(answer);
        }
      });
      stream.on("error", (error: Error) => fail(error.message, false, error));
      stream.on("close", () => {
        const refusal = refusalOf(status);
        if (refusal === undefined) settle(() => resolve(answer));
        else if (refusal === "broken") fail("the connection broke", false);
        else settle(() => reject(refusal));
      });
      const prefix = Buffer.alloc(prefixBytes);
      prefix.writeUInt32BE(message.length, 1);
      stream.write(Buffer.concat([prefix, message]));
      // A watch lasts as long as both sides are open.
      if (onMessage === undefined) stream.end();
    });
  }

  close(): void {
    this.#session?.destroy();
  }

  #connected(): ClientHttp2Session {
    if (this.#session !== undefined && !this.#session.closed && !this.#session.destroyed)
      return this.#session;
    const session = connect(this.#origin, {
      ...this.#tls,
      settings: { enablePush: false, initialWindowSize: windowBytes.answer },
    });
    this.#session = session;
    // A process may end while nothing is asked: what is under way keeps it alive by its time limit.
    session.unref();
    // One listener for each call that waits for the connection.
    setMaxListeners(0, session);
    const cancel = this.#clock.after(connectTimeLimitMs, () =>
      session.destroy(new Error(`no connection within ${connectTimeLimitMs} ms`)),
    );
    session.once("connect", () => {
      cancel();
      session.setLocalWindowSize(windowBytes.all);
    });
    session.once("close", cancel);
    // Every call hears of it by itself.
    session.on("error", () => {});
    session.on("goaway", () => session.close());
    return session;
  }
}

/** `undefined`: all is well. */
function refusalOf(headers: IncomingHttpHeaders): Refused | "broken" | undefined {
  const status = headers["grpc-status"];
  if (status === "0") return undefined;
  if (status !== undefined)
    return new Refused(Number(status), decodeURIComponent(String(headers["grpc-message"] ?? "")));
  const httpStatus = Number(headers[":status"] ?? 200);
  if (httpStatus === 200) return "broken";
  return new Refused(unimplemented, `what answers is not etcd (HTTP status ${httpStatus})`);
}

const unimplemented = 12;
