/** Stands before a member of etcd, and holds a transaction back to deliver it later, as a stalled network would. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { onTestFinished } from "vitest";

/** What becomes of the next transaction. */
type Fate =
  | "pass"
  /** Held, and its sender's connection breaks. */
  | "break"
  /** Held, and its sender keeps waiting. */
  | "stall";

export class LateMessenger {
  readonly port: number;
  private readonly target: string;
  private fate: Fate = "pass";
  private held: { path: string; body: string; response: ServerResponse } | undefined;
  private arrived: () => void = () => {};

  static async before(targetPort: number): Promise<LateMessenger> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("No port.");
    const messenger = new LateMessenger(address.port, `http://127.0.0.1:${targetPort}`);
    server.on("request", (request, response) => {
      messenger.take(request, response).catch(() => response.destroy());
    });
    onTestFinished(() => {
      server.close();
      server.closeAllConnections();
    });
    return messenger;
  }

  private constructor(port: number, target: string) {
    this.port = port;
    this.target = target;
  }

  /** Holds the next transaction that puts this value somewhere. Resolves when it has come. */
  hold(fate: Exclude<Fate, "pass">): Promise<void> {
    this.fate = fate;
    return new Promise((resolve) => {
      this.arrived = resolve;
    });
  }

  /** Delivers what was held; tells whether etcd carried it out, and its sender too if that still waits. */
  async deliver(): Promise<boolean> {
    if (this.held === undefined) throw new Error("Nothing is held.");
    const { path, body, response } = this.held;
    const answer = await this.forward(path, body);
    if (!response.destroyed) response.writeHead(answer.status).end(answer.text);
    const { succeeded = false } = JSON.parse(answer.text) as { succeeded?: boolean };
    return succeeded;
  }

  private async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = "";
    for await (const chunk of request) body += String(chunk);
    const path = request.url ?? "";
    if (this.fate === "pass" || !body.includes("requestTxn")) {
      const answer = await this.forward(path, body);
      response.writeHead(answer.status).end(answer.text);
      return;
    }
    if (this.fate === "break") response.destroy();
    this.fate = "pass";
    this.held = { path, body, response };
    this.arrived();
  }

  private async forward(path: string, body: string): Promise<{ status: number; text: string }> {
    const answer = await fetch(`${this.target}${path}`, { method: "POST", body });
    return { status: answer.status, text: await answer.text() };
  }
}
