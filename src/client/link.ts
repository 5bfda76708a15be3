/**
 * The way to the server: one connection after another, and one session over them as long as the server remembers it. What is sent in one turn is one frame.
 * A frame is kept until the server has seen it, and sent again over the next connection, so that nothing is lost or done twice on the way.
 */
import type { Cancel, Clock } from "../clock/clock.js";
import { formatDuration } from "../duration.js";
import { headSchema, subprotocol, welcomeSchema } from "../protocol/wire.js";
import type { Socket, SocketConstructor } from "./socket.js";
import type { StoreTime } from "./store-time.js";

/** Frames are made no longer than this, in characters: three bytes each at the most, they stay below what the server takes. */
const frameLength = 20_000;
/** A server that has been silent for so long is asked whether it is there. */
const silenceMs = 10_000;
/** A server that is there answers within this. */
const noticeMs = 1_000;
/** How long a connection may take to come about, and a silent server to answer. */
const patienceMs = 5_000;
const firstPauseMs = 50;
const longestPauseMs = 2_000;
/** Frames that the server need not be told of at once. */
const mostUntold = 64;

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
  /** There is no connection, and one more attempt to get one has failed. @param forMs since the last one, if there ever was one. */
  readonly onUnreachable: (why: string, forMs: number | undefined) => void;
}

interface Frame {
  readonly number: number;
  readonly text: string;
  readonly sentAt: number;
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
  // The session
  #session: string | undefined = undefined;
  #made = 0;
  #heard = 0;
  #told = 0;
  #kept: Frame[] = [];
  /** When the newest frame was sent that the server has seen. */
  #seenSentAt = 0;
  // What is to be sent
  #messages: string[] = [];
  #gathered = 0;
  #isGathering = false;

  constructor(parts: LinkParts, user: LinkUser) {
    this.#parts = parts;
    this.#user = user;
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
    this.#messages.push(message);
    if (this.#state === "idle") this.#connect();
    if (this.#isGathering) return;
    this.#isGathering = true;
    this.#gathered = 0;
    queueMicrotask(this.#gather);
  }

  /** Tries to have a connection, if there is none. */
  open(): void {
    if (this.#state === "idle") this.#connect();
  }

  /** For good: the server does not wait for this session either. */
  close(): void {
    if (this.#state === "closed") return;
    if (this.#state === "up") this.#flush();
    this.#state = "closed";
    this.#cancel();
    this.#drop()?.close(1000);
  }

  /** Waits until a turn of microtasks has nothing to add. */
  readonly #gather = (): void => {
    if (this.#messages.length > this.#gathered) {
      this.#gathered = this.#messages.length;
      queueMicrotask(this.#gather);
      return;
    }
    this.#isGathering = false;
    this.#flush();
  };

  #flush(): void {
    if (this.#state !== "up") return;
    const messages = this.#messages;
    this.#messages = [];
    for (let next = 0; next < messages.length; ) {
      const parts: string[] = this.#head();
      let length = 0;
      do {
        const message = messages[next++] ?? "";
        length += message.length;
        parts.push(message);
      } while (next < messages.length && length + (messages[next]?.length ?? 0) < frameLength);
      this.#sendFrame(parts);
    }
  }

  #head(): string[] {
    if (this.#told === this.#heard) return [];
    this.#told = this.#heard;
    return [`{"seen":${this.#heard}}`];
  }

  #sendFrame(parts: readonly string[]): void {
    const text = `[${parts.join(",")}]`;
    this.#kept.push({ number: ++this.#made, text, sentAt: this.#parts.clock.monotonic() });
    this.#socket?.send(text);
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
    let why = "";
    this.#socket = socket;
    this.#cancel = clock.after(patienceMs, () => this.#failed("it does not answer"));
    socket.onopen = () => {
      this.#state = "greeting";
      const { graceMs } = this.#parts;
      this.#helloAt = clock.monotonic();
      const known = this.#session !== undefined && { session: this.#session, seen: this.#heard };
      socket.send(JSON.stringify({ hello: { ...known, grace_ms: graceMs } }));
    };
    socket.onmessage = ({ data }) => this.#receive(String(data));
    socket.onerror = (event: object) => {
      why = whyOf(event);
    };
    socket.onclose = ({ code, reason }) =>
      this.#failed(why || reason || `it closed the connection (${code})`);
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
      this.#user.onUnreachable(why, since === undefined ? undefined : clock.monotonic() - since);
    }
    if (this.#state === "closed") return;
    if (!this.#user.isWanted()) {
      this.#state = "idle";
      this.#messages = [];
      return;
    }
    this.#state = "pausing";
    const pause = Math.min(firstPauseMs * 2 ** this.#failures++, longestPauseMs) * this.#parts.random();
    this.#cancel = clock.after(pause, () => this.#connect(), { background: true });
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
    else if (Array.isArray(value)) this.#hear(value);
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
      this.#seen(seen);
      for (const { text } of this.#kept) this.#socket?.send(text);
    } else {
      this.#session = session;
      this.#made = 0;
      this.#heard = 0;
      this.#kept = [];
      this.#messages = [];
    }
    this.#told = this.#heard;
    this.#parts.storeTime.note(Date.parse(store_time), this.#helloAt);
    this.#user.onUp(!resumed);
    this.#watch();
    this.#flush();
  }

  #hear([head, ...messages]: readonly unknown[]): void {
    const { data } = headSchema.safeParse(head);
    if (data !== undefined) {
      this.#seen(data.seen);
      this.#parts.storeTime.note(Date.parse(data.store_time), this.#seenSentAt);
    }
    this.#heard++;
    for (const message of messages)
      if (typeof message === "object" && message !== null) this.#user.onMessage(message);
    if (this.#heard - this.#told >= mostUntold && !this.#isGathering) this.#sendFrame(this.#head());
  }

  #seen(count: number): void {
    let past = 0;
    for (const { number, sentAt } of this.#kept) {
      if (number > count) break;
      this.#seenSentAt = sentAt;
      past++;
    }
    if (past > 0) this.#kept.splice(0, past);
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
  const error: unknown = "error" in event ? event.error : event;
  if (typeof error !== "object" || error === null) return "";
  if ("code" in error && typeof error.code === "string") return error.code;
  return "message" in error && typeof error.message === "string" ? error.message : "";
}
