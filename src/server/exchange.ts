/** One request and its answer, from the first header to the end of the connection's interest in it. */
import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../clock/clock.js";

export class Exchange {
  readonly requestId = randomUUID();
  /** The pattern of the route, for logs; never text of the caller. */
  route = "none";
  /** Who asked, once that is known. */
  agentId: string | undefined = undefined;
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly #clock: Clock;
  readonly #startedAt: number;
  #over: { readonly delivered: boolean } | undefined = undefined;
  #listeners: ((delivered: boolean) => void)[] = [];

  constructor(incoming: IncomingMessage, outgoing: ServerResponse, clock: Clock) {
    this.incoming = incoming;
    this.outgoing = outgoing;
    this.#clock = clock;
    this.#startedAt = clock.monotonic();
    const { socket } = incoming;
    const end = (): void => {
      socket.off("close", end);
      this.#end(outgoing.writableFinished);
    };
    outgoing.once("close", end);
    // A pipelined request whose turn to be answered has not come hears of the end only through its socket.
    if (outgoing.socket === null) socket.setMaxListeners(0).once("close", end);
  }

  get elapsedMs(): number {
    return this.#clock.monotonic() - this.#startedAt;
  }

  /** The path of the request target as it was sent: still percent-encoded. */
  get rawPath(): string {
    return this.#target.split("?", 1)[0] ?? "";
  }

  get rawQuery(): string {
    const start = this.#target.indexOf("?");
    return start < 0 ? "" : this.#target.slice(start + 1);
  }

  get #target(): string {
    return this.incoming.url ?? "";
  }

  header(name: string): string | undefined {
    const value = this.incoming.headers[name];
    return typeof value === "string" ? value : undefined;
  }

  /** True once nothing more can be told to the caller. */
  get over(): boolean {
    return this.#over !== undefined;
  }

  /** Calls `listener` once: when the answer was handed to the system whole (`delivered`), or when the caller had gone before. */
  whenOver(listener: (delivered: boolean) => void): void {
    if (this.#over === undefined) this.#listeners.push(listener);
    else listener(this.#over.delivered);
  }

  #end(delivered: boolean): void {
    if (this.#over !== undefined) return;
    this.#over = { delivered };
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) listener(delivered);
  }
}
