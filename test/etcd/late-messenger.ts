/** Stands before a member of etcd, and holds a commit back to deliver it later, as a stalled network would. */
import { once } from "node:events";
import {
  type ClientHttp2Session,
  connect,
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import { onTestFinished } from "vitest";
import { readTransaction } from "../../src/store/etcd/messages.js";

interface Held {
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly stream: ServerHttp2Stream;
}

interface Answer {
  readonly body: Buffer;
  readonly trailers: IncomingHttpHeaders;
}

export class LateMessenger {
  readonly port: number;
  private readonly target: ClientHttp2Session;
  private text: string | undefined;
  private breaks = false;
  private held: Held | undefined;
  private arrived: () => void = () => {};

  static async before(targetPort: number): Promise<LateMessenger> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("No port.");
    const target = connect(`http://127.0.0.1:${targetPort}`);
    const messenger = new LateMessenger(address.port, target);
    const sessions = new Set<ServerHttp2Session>();
    server.on("session", (session) => sessions.add(session));
    server.on("stream", (stream, headers) => {
      stream.on("error", () => {});
      messenger.take(stream, headers).catch(() => stream.close());
    });
    onTestFinished(() => {
      server.close();
      for (const session of sessions) session.destroy();
      target.destroy();
    });
    return messenger;
  }

  private constructor(port: number, target: ClientHttp2Session) {
    this.port = port;
    this.target = target;
  }

  /**
   * Holds the next request in which this text occurs. Its sender's connection breaks, or it is left to wait. Resolves when the request has come.
   */
  hold(text: string, fate: "break" | "stall"): Promise<void> {
    this.text = text;
    this.breaks = fate === "break";
    return new Promise((resolve) => {
      this.arrived = resolve;
    });
  }

  /** Delivers what was held; tells whether etcd carried it out, and its sender too if that still waits. */
  async deliver(): Promise<boolean> {
    if (this.held === undefined) throw new Error("Nothing is held.");
    const { headers, body, stream } = this.held;
    const answer = await this.forward(headers, body);
    if (!stream.destroyed) reply(stream, answer);
    return readTransaction(answer.body.subarray(5)).succeeded;
  }

  private async take(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    if (this.text === undefined || !body.includes(this.text)) {
      reply(stream, await this.forward(headers, body));
      return;
    }
    this.text = undefined;
    this.held = { headers, body, stream };
    if (this.breaks) stream.session?.destroy();
    this.arrived();
  }

  private async forward(headers: IncomingHttpHeaders, body: Buffer): Promise<Answer> {
    const path = String(headers[":path"]);
    const call = this.target.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
    });
    let trailers: IncomingHttpHeaders = {};
    call.on("trailers", (found) => {
      trailers = found;
    });
    call.end(body);
    const chunks: Buffer[] = [];
    for await (const chunk of call) chunks.push(chunk as Buffer);
    return { body: Buffer.concat(chunks), trailers };
  }
}

function reply(stream: ServerHttp2Stream, { body, trailers }: Answer): void {
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": String(trailers["grpc-status"]) }));
  stream.end(body);
}
