/** A proxy between a client and a server, which delays, drops and cuts what passes. */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** What the proxy does with the bytes of one direction. */
export type Passage =
  | "pass"
  /** Swallows them: the other side waits, on a connection that looks sound (half open). */
  | "drop"
  /** Cuts the connection when bytes come, before they have passed. */
  | "cut";

export class TcpProxy {
  readonly port: number;
  private readonly server: Server;
  private readonly targetPort: number;
  private readonly pairs = new Set<readonly [Socket, Socket]>();
  private readonly stranded = new Set<Socket>();
  private toServer: Passage = "pass";
  private toClient: Passage = "pass";
  private delayMs = 0;
  private isRefusing = false;
  private piecesLost = 0;

  static async to(targetPort: number): Promise<TcpProxy> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new TcpProxy(server, targetPort);
  }

  private constructor(server: Server, targetPort: number) {
    this.server = server;
    this.targetPort = targetPort;
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("No port.");
    this.port = address.port;
    server.on("connection", (client) => this.join(client));
  }

  /** How many connections stand. */
  get connections(): number {
    return this.pairs.size;
  }

  /** How many pieces came and did not pass. */
  get lost(): number {
    return this.piecesLost;
  }

  /** From now on, what comes from the client is treated so. `"cut"` of requests: the server never sees them. */
  requests(passage: Passage): void {
    this.toServer = passage;
  }

  /** From now on, what comes from the server is treated so. `"cut"` of replies: the server did it, and nobody learns. */
  replies(passage: Passage): void {
    this.toClient = passage;
  }

  /** Every piece waits so long in each direction. */
  delay(ms: number): void {
    this.delayMs = ms;
  }

  /** Cuts every connection, and refuses new ones until `restore`. */
  refuse(): void {
    this.isRefusing = true;
    this.cut();
  }

  /** Cuts every connection; new ones are welcome. */
  cut(): void {
    for (const pair of this.pairs) for (const socket of pair) socket.destroy();
  }

  /** The connections that stand are half open from now on, both ways; new ones are sound. */
  strand(): void {
    for (const pair of this.pairs) for (const socket of pair) this.stranded.add(socket);
  }

  /** Ends every trouble. What was dropped stays lost: half-open connections are cut. */
  restore(): void {
    const wasDropping = this.toServer === "drop" || this.toClient === "drop";
    this.toServer = "pass";
    this.toClient = "pass";
    this.delayMs = 0;
    this.isRefusing = false;
    if (wasDropping) this.cut();
  }

  async close(): Promise<void> {
    if (!this.server.listening) return;
    const closed = once(this.server, "close");
    this.server.close();
    this.cut();
    await closed;
  }

  private join(client: Socket): void {
    if (this.isRefusing) {
      client.destroy();
      return;
    }
    const server = connect(this.targetPort, "127.0.0.1");
    const pair = [client, server] as const;
    this.pairs.add(pair);
    this.carry(client, server, () => this.toServer);
    this.carry(server, client, () => this.toClient);
    const end = (): void => {
      this.pairs.delete(pair);
      for (const socket of pair) this.stranded.delete(socket);
      client.destroy();
      server.destroy();
    };
    for (const socket of pair) {
      socket.setNoDelay(true);
      socket.on("error", end);
      socket.on("close", end);
    }
  }

  private carry(from: Socket, to: Socket, passage: () => Passage): void {
    // In order, whatever becomes of the delay: what comes later waits behind it.
    const onTheWay: { readonly bytes: Buffer; readonly due: number }[] = [];
    const arrive = (): void => {
      while (onTheWay[0] !== undefined && onTheWay[0].due <= performance.now()) {
        const { bytes } = onTheWay.shift()!;
        if (to.writable) to.write(bytes);
      }
      if (onTheWay[0] !== undefined) setTimeout(arrive, onTheWay[0].due - performance.now());
    };
    from.on("data", (bytes) => {
      const what = passage();
      if (what !== "pass" || this.stranded.has(from)) this.piecesLost++;
      if (what === "drop" || this.stranded.has(from)) return;
      if (what === "cut") {
        from.destroy();
        to.destroy();
        return;
      }
      onTheWay.push({ bytes, due: performance.now() + this.delayMs });
      if (onTheWay.length === 1) arrive();
    });
  }
}
