/** One connection to the server. Nothing on it takes longer than its time limit: then the connection is dropped. */
import { Socket } from "node:net";
import type { Client, QueryArrayConfig } from "pg";
import type { Clock } from "../../clock/clock.js";
import type { Call, Row } from "./calls.js";

export interface Driver {
  readonly Client: typeof Client;
}

export interface ConnectionOptions {
  readonly driver: Driver;
  readonly clock: Clock;
  /** As `pg` takes it. */
  readonly connectionString: string;
}

const connectWithinMs = 2_000;
const sayGoodbyeWithinMs = 500;

export class Connection {
  readonly #client: Client;
  readonly #socket: Socket;
  readonly #clock: Clock;
  #isUsable = true;

  /** Rejects with the driver's error. */
  static async open({ driver, clock, connectionString }: ConnectionOptions): Promise<Connection> {
    // A socket of our own, because only its end is quick and sure: `client.end()` waits for the other side.
    const socket = new Socket();
    const client = new driver.Client({
      connectionString,
      stream: () => socket,
      keepAlive: true,
      fallback_application_name: "engram-lock",
    });
    const connection = new Connection(client, socket, clock);
    await connection.#within(connectWithinMs, "no connection", () => client.connect());
    return connection;
  }

  private constructor(client: Client, socket: Socket, clock: Clock) {
    this.#client = client;
    this.#socket = socket;
    this.#clock = clock;
    // Also reported by the query that is under way, if there is one.
    client.on("error", () => this.drop());
    client.once("end", () => this.drop());
  }

  get isUsable(): boolean {
    return this.#isUsable;
  }

  /** Rejects with the driver's error, or with one that says that the time is up. */
  async ask({ text, values }: Call, withinMs: number): Promise<readonly Row[]> {
    const query: QueryArrayConfig<unknown[]> = { text, values: [...values], rowMode: "array" };
    const { rows } = await this.#within(withinMs, "no answer", () => this.#client.query<unknown[]>(query));
    return rows;
  }

  /** Several statements in one message, without values. */
  async run(script: string, withinMs: number): Promise<void> {
    await this.#within(withinMs, "no answer", () => this.#client.query(script));
  }

  onNotification(heard: (payload: string) => void): void {
    this.#client.on("notification", ({ payload }) => heard(payload ?? ""));
  }

  /** Calls once the connection has ended, however that came. */
  onEnd(run: () => void): void {
    this.#client.once("end", run);
  }

  /** At once, without a word. Queries under way are rejected. */
  drop(): void {
    this.#isUsable = false;
    this.#socket.destroy();
  }

  /** Says goodbye, so that the server's log has no complaint. Never rejects. */
  async close(): Promise<void> {
    this.#isUsable = false;
    try {
      await this.#within(sayGoodbyeWithinMs, "no goodbye", () => this.#client.end());
    } catch {
      // It was gone already, or is now.
    }
  }

  async #within<T>(ms: number, lacking: string, task: () => Promise<T>): Promise<T> {
    let isLate = false;
    const cancel = this.#clock.after(ms, () => {
      isLate = true;
      this.drop();
    });
    try {
      return await task();
    } catch (error) {
      if (isLate) throw new Error(`${lacking} within ${ms} ms`, { cause: error });
      throw error;
    } finally {
      cancel();
    }
  }
}
