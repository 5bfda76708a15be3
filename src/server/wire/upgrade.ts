/** Decides whether a request may become a WebSocket. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { invalid } from "../../errors.js";
import { subprotocol } from "../../protocol/wire.js";
import type { Gate } from "../gate.js";
import { notFound, shuttingDown } from "../http-refusal.js";
import type { WebSockets } from "./sockets.js";

export const socketPath = "/v1/ws";

export type Upgrade = (incoming: IncomingMessage, socket: Duplex, head: Buffer) => void;

/** @returns what throws an `HttpRefusal` or a `LockError` for a request that may not pass. */
export function createUpgrade(gate: Gate, sockets: WebSockets): Upgrade {
  return (incoming, socket, head) => {
    gate(incoming);
    if (incoming.url?.split("?", 1)[0] !== socketPath) throw notFound();
    if (sockets.sessions.draining) throw shuttingDown();
    const offered = (incoming.headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim());
    if (!offered.includes(subprotocol))
      throw invalid("Sec-WebSocket-Protocol", offered.join(", "), `"${subprotocol}" among them`);
    sockets.accept(incoming, socket, head);
  };
}
