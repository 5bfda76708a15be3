/** `GET /v1/ws`: WebSockets, from the handshake to the end. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type RawData, type WebSocket, WebSocketServer } from "ws";
import type { Cancel } from "../../clock/clock.js";
import { invalid } from "../../errors.js";
import { maxFrameBytes, subprotocol } from "../../protocol/wire.js";
import { agentInHeader } from "../request-agent.js";
import type { Services } from "../services.js";
import { closeCodes, type Pipe } from "./pipe.js";
import { Sessions } from "./sessions.js";
import { Talk } from "./talk.js";

/** Whoever has not answered a ping by the next one is gone. */
const heartbeatMs = 15_000;
/** RFC 6455: the caller is done, and does not come back. */
const normalClosure = 1000;

export class WebSockets {
  readonly sessions: Sessions;
  readonly #services: Services;
  readonly #server = new WebSocketServer({
    noServer: true,
    maxPayload: maxFrameBytes,
    perMessageDeflate: false,
    // The gate has seen to it that it is asked for.
    handleProtocols: () => subprotocol,
  });
  /** Those that have answered since the last heartbeat. */
  readonly #alive = new Set<WebSocket>();
  readonly #heartbeat: () => void;
  #nextHeartbeat: Cancel = () => {};

  constructor(services: Services) {
    this.#services = services;
    this.sessions = new Sessions(services);
    this.#heartbeat = () => {
      for (const socket of this.#server.clients) {
        if (!this.#alive.delete(socket)) socket.terminate();
        else socket.ping();
      }
      this.#schedule();
    };
    // What is wrong with a handshake is answered as any other refusal.
    this.#server.on("wsClientError", ({ message }) => {
      throw invalid("handshake", message, "that of a WebSocket (RFC 6455)");
    });
    this.#schedule();
  }

  get connections(): number {
    return this.#server.clients.size;
  }

  /** Goes on with a request that the gate has let pass. @throws LockError `invalid` for a bad `X-Agent-ID` or handshake. */
  accept(incoming: IncomingMessage, socket: Duplex, head: Buffer): void {
    const agentId = agentInHeader(incoming);
    this.#server.handleUpgrade(incoming, socket, head, (accepted) => {
      const talk = this.#listen(accepted, agentId);
      socket.on("drain", () => talk.drained());
    });
  }

  close(): void {
    this.#nextHeartbeat();
    this.sessions.close();
    for (const socket of this.#server.clients) socket.terminate();
  }

  #schedule(): void {
    this.#nextHeartbeat = this.#services.clock.after(heartbeatMs, this.#heartbeat, { background: true });
  }

  #listen(socket: WebSocket, agentId: string | undefined): Talk {
    const talk = new Talk(this.#services, this.sessions, pipeTo(socket), agentId);
    this.#alive.add(socket);
    socket.on("message", (data, isBinary) => {
      this.#alive.add(socket);
      if (isBinary) socket.close(1003, "Only text.");
      else talk.receive(textOf(data));
    });
    socket.on("pong", () => this.#alive.add(socket));
    // What is wrong with a frame is said by the code with which ws closes the connection.
    socket.on("error", (error) => this.#services.log.debug({ err: error }, "a WebSocket broke"));
    socket.on("close", (code) => {
      this.#alive.delete(socket);
      talk.end(code === normalClosure);
    });
    return talk;
  }
}

/** As this server is made, the frames of ws are buffers. */
function textOf(data: RawData): string {
  return Buffer.isBuffer(data) ? data.toString() : "";
}

function pipeTo(socket: WebSocket): Pipe {
  return {
    send: (frame) => socket.send(frame),
    get unsentBytes() {
      return socket.bufferedAmount;
    },
    close(code, reason) {
      socket.close(code, reason);
      // Who does not read does not answer either.
      if (code === closeCodes.tooSlow) socket.terminate();
    },
  };
}
