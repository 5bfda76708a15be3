/**
 * The way to the server: one connection after another, and one session over them as long as the server remembers it, so that nothing is lost or done twice
 * on the way.
 */
import type { Cancel, Clock } from "../clock/clock.js";
import { formatDuration } from "../duration.js";
import { headSchema, subprotocol, welcomeSchema } from "../protocol/wire.js";
import { Outgoing } from "./outgoing.js";
import type { Socket, SocketConstructor } from "./socket.js";
import type { StoreTime } from "./store-time.js";

/** A server that has been silent for so long is asked whether it is there. */
const silenceMs = 10_000;
/** A server that is there answers within this. */
const noticeMs = 1_000;
/** How long a connection may take to come about, and a silent server to answer. */
const patienceMs = 5_000;
const firstPauseMs = 50;
const longestPauseMs = 2_000;

export interface LinkParts {
  /** `ws:` or `wss:`. */
  readonly url: string;
  readonly WebSocket: SocketConstructor;
  readonly clock: Clock;
  /** Between 0 and 1. */
  readonly random: () => number;
  readonly storeTime: StoreTime;
  /** How long the server keeps the session without a connection. */
  readonly graceMs: number;
}

export interface LinkUser {
  /** Something is waited for, so that a connection is worth having. */
  readonly isWanted: () => boolean;
  readonly onMessage: (message: object) => void;
  /** A connection stands. `fresh`: in a new session, so that whatever was not answered has to be said again. */
  readonly onUp: (fresh: boolean) => void;
  /**
   * There is no connection, and one more attempt to get one has failed.
   *
   * @param forMs since the last one, if there ever was one.
   * @returns `"given up"` when nobody waits any more for what was said.
   */
  readonly onUnreachable: (why: string, forMs: number | undefined) => "wait on" | "given up";
}

type State = "idle" | "connecting" | "greeting" | "up" | "pausing" | "closed";

export class Link {
  readonly #parts: LinkParts;
  readonly #user: LinkUser;
  #state: State = "idle";
  #socket: Socket | undefined = undefined;
  #cancel: Cancel = () => {};
  #failures = 0;
  /** When the last connection ended. */
  #downSince: number | undefined = undefined;
  #heardAt = 0;
  #helloAt = 0;
  #session: string | undefined = undefined;
  readonly #outgoing: Outgoing;

  constructor(parts: LinkParts, user: LinkUser) {
    this.#parts = parts;
    this.#user = user;
    this.#outgoing = new Outgoing(parts.clock, {
      isOpen: () => this.isUp,
      send: (frame) => this.#socket?.send(frame),
    });
  }

  get isUp(): boolean {
    return this.#state === "up";
  }

  /** What is wrong, in words, if anything is. */
  get trouble(): string | undefined {
    const silentMs = this.#parts.clock.monotonic() - this.#heardAt;
    if (!this.isUp) return `the server was last heard of ${formatDuration(silentMs)} ago`;
    return silentMs > silenceMs + noticeMs
      ? `the server was silent for ${formatDuration(silentMs)}`
      : undefined;
  }

  /** Sends a message with the others of this turn, or once there is a connection. */
  send(message: string): void {
    this.#outgoing.say(message);
    this.open();
  }

  /** Tries to have a connection, if there is none. */
  open(): void {
    if (this.#state === "idle") this.#connect();
  }

  /** For good: the server does not wait for this session either. */
  close(): void {
    if (this.#state === "closed") return;
    this.#outgoing.flush();
    this.#state = "closed";
    this.#cancel();
    this.#drop()?.close(1000);
  }

  // Connections

  #connect(): void {
    const { url, WebSocket, clock } = this.#parts;
    this.#state = "connecting";
    let socket: Socket;
    try {
      socket = new WebSocket(url, [subprotocol]);
    } catch (error) {
      this.#failed(String(error));
      return;
    }
    this.#socket = socket;
    this.#cancel = clock.after(patienceMs, () => this.#failed("it does not answer"));
    socket.onopen = () => {
      this.#state = "greeting";
      const { graceMs } = this.#parts;
      this.#helloAt = clock.monotonic();
      const known = this.#session !== undefined && { session: this.#session, seen: this.#outgoing.seen };
      socket.send(JSON.stringify({ hello: { ...known, grace_ms: graceMs } }));
    };
    socket.onmessage = ({ data }) => this.#receive(String(data));
    // That is the end of it; but the WebSocket of Node 22 tells of no close when it could not connect.
    socket.onerror = (event) => this.#failed(whyOf(event) || "there is no connection to it");
    socket.onclose = ({ code, reason }) => this.#failed(reason || `it closed the connection (${code})`);
  }

  /** There is no connection, or no longer. */
  #failed(why: string): void {
    this.#cancel();
    this.#drop()?.close();
    const { clock } = this.#parts;
    if (this.#state === "up") this.#downSince = clock.monotonic();
    else {
      // Something was there, at least.
      if (this.#state === "greeting") this.#downSince ??= clock.monotonic();
      const since = this.#downSince;
      const forMs = since === undefined ? undefined : clock.monotonic() - since;
      if (this.#user.onUnreachable(why, forMs) === "given up") this.#forgetSession();
    }
    if (this.#state === "closed") return;
    if (!this.#user.isWanted()) {
      this.#state = "idle";
      return;
    }
    this.#state = "pausing";
    const pause = Math.min(firstPauseMs * 2 ** this.#failures++, longestPauseMs) * this.#parts.random();
    this.#cancel = clock.after(pause, () => this.#connect(), { background: true });
  }

  /** What was said in it must not be done any more. The server ends it by itself. */
  #forgetSession(): void {
    this.#session = undefined;
    this.#outgoing.forget();
  }

  /** Forgets the connection. */
  #drop(): Socket | undefined {
    const socket = this.#socket;
    if (socket === undefined) return undefined;
    this.#socket = undefined;
    socket.onopen = null;
    socket.onmessage = null;
    socket.onclose = null;
    socket.onerror = () => {};
    return socket;
  }

  // What the server says

  #receive(frame: string): void {
    this.#heardAt = this.#parts.clock.monotonic();
    let value: unknown;
    try {
      value = JSON.parse(frame);
    } catch {
      this.#failed("what answers is no server of this kind");
      return;
    }
    if (this.#state !== "up") this.#welcomed(value);
    else if (Array.isArray(value)) this.#hear(value, frame.length);
  }

  #welcomed(message: unknown): void {
    const { data } = welcomeSchema.safeParse(message);
    if (data === undefined) {
      this.#failed("what answers is no server of this kind");
      return;
    }
    const { session, resumed, seen, store_time } = data.welcome;
    this.#cancel();
    this.#state = "up";
    this.#failures = 0;
    if (resumed) {
      this.#outgoing.wasSeen(seen);
      this.#outgoing.repeat();
    } else {
      this.#session = session;
      this.#outgoing.forget();
    }
    this.#parts.storeTime.note(Date.parse(store_time), this.#helloAt);
    this.#user.onUp(!resumed);
    this.#watch();
    this.#outgoing.flush();
  }

  #hear([head, ...messages]: readonly unknown[], length: number): void {
    const { data } = headSchema.safeParse(head);
    if (data !== undefined) {
      const since = this.#outgoing.wasSeen(data.seen);
      // A frame that is sent again shows an old time.
      if (since !== undefined) this.#parts.storeTime.note(Date.parse(data.store_time), since);
    }
    this.#outgoing.see(length);
    for (const message of messages)
      if (typeof message === "object" && message !== null) this.#user.onMessage(message);
  }

  /** A connection may be dead without a word: after some silence the server is asked, and then has to answer soon. */
  #watch(): void {
    const { clock } = this.#parts;
    const heardAt = this.#heardAt;
    const left = heardAt + silenceMs - clock.monotonic();
    if (left > 0) {
      this.#cancel = clock.after(left, () => this.#watch(), { background: true });
      return;
    }
    this.send('{"id":0,"op":"ping"}');
    this.#cancel = clock.after(
      patienceMs,
      () => {
        if (this.#heardAt === heardAt) this.#failed("it has fallen silent");
        else this.#watch();
      },
      { background: true },
    );
  }
}

/** What `ws` says; browsers say nothing. */
function whyOf(event: object): string {
  const error: unknown = "error" in event ? event.error : undefined;
  if (!(error instanceof Error)) return "";
  return "code" in error && typeof error.code === "string" ? error.code : error.message;
}
