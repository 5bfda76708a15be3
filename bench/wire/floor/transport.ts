/** Texts between two processes: in frames of a WebSocket, or in lines over TCP. */
import { once } from "node:events";
import { createServer, type Server, type Socket, connect as tcpConnect } from "node:net";
import { WebSocket, WebSocketServer } from "ws";

export interface Channel {
  send(text: string): void;
  onText(listener: (text: string) => void): void;
  close(): void;
}

export interface Transport {
  /** On a free port of 127.0.0.1. */
  listen(accept: (channel: Channel) => void): Promise<{ address: string; close(): Promise<void> }>;
  connect(address: string): Promise<Channel>;
}

export const webSocket: Transport = {
  async listen(accept) {
    const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
    server.on("connection", (socket) => accept(overWebSocket(socket)));
    await once(server, "listening");
    return {
      address: `ws://127.0.0.1:${portOf(server)}`,
      async close() {
        for (const client of server.clients) client.terminate();
        await new Promise((resolve) => server.close(resolve));
      },
    };
  },
  async connect(address) {
    const socket = new WebSocket(address, { perMessageDeflate: false });
    await once(socket, "open");
    return overWebSocket(socket);
  },
};

export const tcp: Transport = {
  async listen(accept) {
    const sockets = new Set<Socket>();
    const server = createServer({ noDelay: true }, (socket) => {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => sockets.delete(socket));
      accept(overLines(socket));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return {
      address: String(portOf(server)),
      async close() {
        for (const socket of sockets) socket.destroy();
        await new Promise((resolve) => server.close(resolve));
      },
    };
  },
  async connect(address) {
    const socket = tcpConnect({ host: "127.0.0.1", port: Number(address), noDelay: true });
    await once(socket, "connect");
    return overLines(socket);
  },
};

function overWebSocket(socket: WebSocket): Channel {
  return {
    send: (text) => socket.send(text),
    onText: (listener) => socket.on("message", (data) => listener(String(data))),
    close: () => socket.terminate(),
  };
}

function overLines(socket: Socket): Channel {
  socket.setEncoding("utf8");
  return {
    send: (text) => socket.write(`${text}\n`),
    onText(listener) {
      let rest = "";
      socket.on("data", (chunk: string) => {
        const lines = (rest + chunk).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) listener(line);
      });
    },
    close: () => socket.destroy(),
  };
}

function portOf(server: Server | WebSocketServer): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("No port");
  return address.port;
}
