/** A caller by hand: a plain WebSocket, which says whatever a test wants to. */
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { onTestFinished } from "vitest";
import { type ClientOptions, WebSocket } from "ws";
import { subprotocol } from "../../src/protocol/wire.js";
import type { AnswerBody } from "./running-server.js";

/** Whatever a message of the server may have in it; which of it is there is for each test to know. */
export interface Said {
  readonly id?: number | null;
  readonly result?: AnswerBody & { readonly position: number; readonly cancelled: boolean };
  readonly error?: AnswerBody;
  readonly seen?: number;
  readonly welcome?: { readonly session: string; readonly resumed: boolean; readonly seen: number };
  readonly lost?: { readonly lock_id: string; readonly resource_path: string };
  readonly subscription?: number;
  readonly event?: { readonly type: string; readonly resource_path: string };
}

export class RawCaller {
  readonly socket: WebSocket;
  /** Everything that was heard, but what begins each frame. */
  readonly heard: Said[] = [];
  frames = 0;
  #lastId = 0;
  #waiting: (() => void)[] = [];
  /** Resolves with the code once the connection is closed. */
  readonly closed: Promise<number>;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => socket.on("close", resolve));
    // Being cut off is one of the things to be seen.
    socket.on("error", () => {});
    socket.on("close", () => this.#wake());
    socket.on("message", (data) => {
      const frame: Said | readonly Said[] = JSON.parse(String(data));
      this.frames++;
      if (Array.isArray(frame)) this.heard.push(...frame.slice(1));
      else this.heard.push(frame as Said);
      this.#wake();
    });
  }

  /** Ends with the test. */
  static async to(port: number, options: ClientOptions = {}): Promise<RawCaller> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/ws`, subprotocol, {
      perMessageDeflate: false,
      ...options,
    });
    onTestFinished(() => socket.terminate());
    const caller = new RawCaller(socket);
    await once(socket, "open");
    return caller;
  }

  /** With a session. */
  static async greeting(port: number, hello: object = {}): Promise<RawCaller> {
    const caller = await RawCaller.to(port);
    caller.say({ hello });
    await caller.hears(({ welcome }) => welcome !== undefined);
    return caller;
  }

  say(message: unknown): void {
    this.socket.send(JSON.stringify(message));
  }

  /** One call, and what answers it. */
  async call(op: string, fields: object = {}): Promise<Said> {
    const id = this.ask(op, fields);
    return this.answerTo(id);
  }

  /** @returns the id of the call. */
  ask(op: string, fields: object = {}): number {
    const id = ++this.#lastId;
    this.say({ id, op, ...fields });
    return id;
  }

  answerTo(id: number): Promise<Said> {
    return this.hears((said) => said.id === id);
  }

  /** The first message, of those that came and those that will, of which this is true. */
  async hears(isIt: (said: Said) => boolean): Promise<Said> {
    for (;;) {
      const found = this.heard.find(isIt);
      if (found !== undefined) return found;
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error("The connection was closed.");
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** The id of its session. */
  get session(): string {
    return this.heard.find(({ welcome }) => welcome !== undefined)?.welcome?.session ?? "";
  }
}

export interface Refusal {
  readonly status: number;
  readonly body: AnswerBody;
}

/** What a handshake is answered with that is refused. */
export function refusedHandshake(
  port: number,
  headers: Record<string, string | undefined> = {},
  path = "/v1/ws",
): Promise<Refusal> {
  const usual = {
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    "sec-websocket-protocol": subprotocol,
  };
  const present = Object.entries({ ...usual, ...headers }).filter(([, value]) => value !== undefined);
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { host: "127.0.0.1", port, path, headers: Object.fromEntries(present), agent: false },
      (response: IncomingMessage) => {
        let text = "";
        response.setEncoding("utf8").on("data", (part: string) => (text += part));
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, body: JSON.parse(text || "{}") }),
        );
      },
    );
    outgoing.on("upgrade", (_response, socket) => {
      socket.destroy();
      reject(new Error("The handshake was not refused."));
    });
    outgoing.on("error", reject);
    outgoing.end();
  });
}
