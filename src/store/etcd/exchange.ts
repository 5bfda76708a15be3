/** One request and its answer over HTTP, which knows whether the request may have been sent. */
import type { Pool } from "undici";
import type { Clock } from "../../clock/clock.js";

export interface Post {
  readonly path: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds until the answer is whole; with `onLine` until its first line. */
  readonly timeLimitMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Takes the lines of an answer that does not end. The body of the answer is then empty. */
  readonly onLine?: (line: string) => void;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** No answer came, or only a part of one. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer";
  /** False: surely the server has seen nothing of the request. */
  readonly sent: boolean;
  /** The caller gave up by its signal; nothing is wrong with the server. */
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

/** @throws NoAnswer */
export function exchange(
  pool: Pool,
  clock: Clock,
  { path, body, headers, timeLimitMs, signal, onLine }: Post,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let rest = "";
    let status = 0;
    let sent = false;
    let abort: ((reason: Error) => void) | undefined;
    let failure: NoAnswer | undefined;

    const settle = (act: () => void): void => {
      cancel();
      signal?.removeEventListener("abort", onAbort);
      act();
    };
    const fail = (message: string, givenUp: boolean, cause?: unknown): void => {
      if (failure !== undefined) return;
      const error = new NoAnswer(message, { sent, givenUp, cause });
      failure = error;
      settle(() => reject(error));
      abort?.(error);
    };
    const onAbort = (): void => fail("the caller gave up", true, signal?.reason);
    const cancel = clock.after(timeLimitMs, () =>
      fail(`no answer within ${Math.ceil(timeLimitMs)} ms`, false),
    );
    if (signal?.aborted) {
      onAbort();
      return;
    }
    signal?.addEventListener("abort", onAbort, { once: true });

    // The time limit is the one above: undici's own are exact to a second only.
    const untimed = { headersTimeout: 0, bodyTimeout: 0 };
    pool.dispatch(
      { path, method: "POST", body, headers, ...untimed },
      {
        onRequestStart(controller) {
          if (failure !== undefined) {
            controller.abort(failure);
            return;
          }
          sent = true;
          abort = (reason) => controller.abort(reason);
        },
        onResponseStart(_controller, statusCode) {
          status = statusCode;
        },
        onResponseData(_controller, chunk) {
          if (onLine === undefined || status !== 200) {
            chunks.push(chunk);
            return;
          }
          cancel();
          const lines = (rest + chunk.toString("latin1")).split("\n");
          rest = lines.pop() ?? "";
          for (const line of lines) if (line !== "") onLine(line);
        },
        onResponseEnd() {
          settle(() => resolve({ status, body: Buffer.concat(chunks).toString() }));
        },
        onResponseError(_controller, error) {
          fail(error.message || String(error), false, error);
        },
      },
    );
  });
}
