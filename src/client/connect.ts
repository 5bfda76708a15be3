/** A lock manager of a server, by its address. */
import type { Clock } from "../clock/clock.js";
import { systemClock } from "../clock/system-clock.js";
import { invalid } from "../errors.js";
import type { LockManager } from "../lock-manager.js";
import { RemoteLockManager } from "./remote-lock-manager.js";
import type { SocketConstructor } from "./socket.js";

/** How long the server waits for this process to come back before whoever waits leaves the queue. */
const graceMs = 5_000;

export interface ConnectOptions {
  /** Who is on record for what is done by force, where the call does not say. */
  readonly agentId?: string;
  /** Default: the global one. */
  readonly WebSocket?: SocketConstructor;
  readonly clock?: Clock;
  /** Between 0 and 1. */
  readonly random?: () => number;
}

/**
 * The same interface as in process. It connects with the first call, keeps one connection, and comes back by itself when that breaks: what was under way
 * goes on, nothing is done twice, and what is held is looked at again. A call that finds no server is refused at once, one that loses it after ten seconds.
 *
 * @param url such as `"http://127.0.0.1:7420"`; `https:`, `ws:` and `wss:` as well, and in Node `"unix:PATH"`, absolute.
 * @throws LockError `invalid` for what is no address of a server, and where there is no WebSocket.
 */
export function connectLockManager(url: string, options: ConnectOptions = {}): LockManager {
  const { agentId, clock = systemClock, random = Math.random } = options;
  const WebSocket = options.WebSocket ?? globalWebSocket();
  return new RemoteLockManager({ url: socketUrl(url), agentId, clock, random, WebSocket, graceMs });
}

function globalWebSocket(): SocketConstructor {
  const { WebSocket }: { WebSocket?: SocketConstructor } = globalThis;
  if (WebSocket === undefined)
    throw invalid("WebSocket", undefined, "one among the options, as this runtime has none of its own");
  return WebSocket;
}

function socketUrl(text: string): string {
  const allowed = 'the address of a server, such as "http://127.0.0.1:7420" or "unix:/run/engram-lock.sock"';
  // As `ws` spells it; nothing else can go there.
  if (text.startsWith("unix:/")) return `ws+unix:${text.slice("unix:".length)}:/v1/ws`;
  if (!URL.canParse(text)) throw invalid("url", text, allowed);
  const url = new URL(text);
  const protocol = protocols.get(url.protocol);
  if (protocol === undefined) throw invalid("url", text, allowed);
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "")
    throw invalid("url", url.origin, `${allowed}, without user, query and fragment`);
  return `${protocol}//${url.host}${url.pathname.replace(/\/$/, "")}/v1/ws`;
}

const protocols: ReadonlyMap<string, string> = new Map([
  ["http:", "ws:"],
  ["https:", "wss:"],
  ["ws:", "ws:"],
  ["wss:", "wss:"],
]);
