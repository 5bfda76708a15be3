/**
 * Hints through LISTEN and NOTIFY, on a connection of their own, which is opened anew whenever it breaks. What was announced meanwhile is
 * lost, as hints may be.
 */
import type { Cancel, Clock } from "../../clock/clock.js";
import type { Listeners } from "../listeners.js";
import { backoffMs } from "./backoff.js";
import { Connection, type ConnectionOptions } from "./connection.js";

/** A connection that looks sound may be dead: it is asked so often, and has so long to answer. */
const askEveryMs = 5_000;
const answerWithinMs = 2_000;

export class Hints {
  readonly #options: ConnectionOptions;
  readonly #clock: Clock;
  readonly #channel: string;
  readonly #listeners: Listeners;
  #connection: Connection | undefined;
  #cancel: Cancel | undefined;
  /** The latest attempt to connect. */
  #attempt: Promise<void> | undefined;
  #isClosed = false;
  #failures = 0;

  constructor(options: ConnectionOptions, channel: string, listeners: Listeners) {
    this.#options = options;
    this.#clock = options.clock;
    this.#channel = channel;
    this.#listeners = listeners;
  }

  /** Resolves when hints come, or when the first try failed and the next ones follow by themselves. Never rejects. */
  listen(): Promise<void> {
    this.#attempt ??= this.#connect();
    return this.#attempt;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancel?.();
    await this.#attempt;
    await this.#connection?.close();
  }

  async #connect(): Promise<void> {
    try {
      const connection = await Connection.open(this.#options);
      this.#connection = connection;
      if (this.#isClosed) {
        await connection.close();
        return;
      }
      connection.onNotification((payload) => {
        const [revision, ...texts] = payload.split("\n");
        this.#listeners.tell(texts, Number(revision));
      });
      connection.onEnd(() => this.#again());
      await connection.run(`listen "${this.#channel}"`, answerWithinMs);
      this.#failures = 0;
      this.#askLater(connection);
    } catch {
      // Without hints everything works, only later: the next try follows.
      if (this.#connection?.isUsable) this.#connection.drop();
      this.#again();
    }
  }

  #again(): void {
    this.#cancel?.();
    if (this.#isClosed) return;
    this.#failures++;
    const connect = (): void => {
      this.#attempt = this.#connect();
    };
    this.#cancel = this.#clock.after(backoffMs(this.#failures), connect, { background: true });
  }

  #askLater(connection: Connection): void {
    if (this.#isClosed || !connection.isUsable) return;
    this.#cancel = this.#clock.after(askEveryMs, () => void this.#ask(connection), { background: true });
  }

  async #ask(connection: Connection): Promise<void> {
    try {
      await connection.run("select", answerWithinMs);
      this.#askLater(connection);
    } catch {
      // It ends, and another takes its place.
      connection.drop();
    }
  }
}
