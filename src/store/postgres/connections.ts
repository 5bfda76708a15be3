/** A few connections, lent to one request each, opened when they are needed and opened anew when they broke. */
import type { Cancel, Clock } from "../../clock/clock.js";
import { backoffMs } from "./backoff.js";
import { Connection, type ConnectionOptions } from "./connection.js";

interface Waiting {
  readonly take: (connection: Connection) => void;
  readonly fail: (error: Error) => void;
}

export class Connections {
  readonly #options: ConnectionOptions;
  readonly #clock: Clock;
  readonly #most: number;
  readonly #open = new Set<Connection>();
  readonly #idle: Connection[] = [];
  readonly #waiting = new Set<Waiting>();
  #opening = 0;
  /** Failed tries to connect, one after the other. */
  #failures = 0;
  #cancelRetry: Cancel | undefined;
  #closedBy: Error | undefined;

  constructor(options: ConnectionOptions, most: number) {
    this.#options = options;
    this.#clock = options.clock;
    this.#most = most;
  }

  /** Rejects when the server cannot be reached, or not within the time. Whoever gets a connection gives it back. */
  lend(withinMs: number): Promise<Connection> {
    if (this.#closedBy !== undefined) return Promise.reject(this.#closedBy);
    for (let one = this.#idle.pop(); one !== undefined; one = this.#idle.pop()) {
      if (one.isUsable) return Promise.resolve(one);
    }
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        cancel();
        this.#waiting.delete(waiting);
      };
      const waiting: Waiting = {
        take: (connection) => {
          settle();
          resolve(connection);
        },
        fail: (error) => {
          settle();
          reject(error);
        },
      };
      const cancel = this.#clock.after(withinMs, () =>
        waiting.fail(new Error(`no connection was free within ${withinMs} ms`)),
      );
      this.#waiting.add(waiting);
      this.#grow();
    });
  }

  giveBack(connection: Connection): void {
    if (!connection.isUsable || !this.#open.has(connection)) this.#grow();
    else this.#place(connection);
  }

  /** One of them has not answered: those that look idle may be as dead. */
  distrustIdle(): void {
    for (const connection of this.#idle.splice(0)) connection.drop();
  }

  /** Whoever waits is told `reason`; requests under way may take that long to end. */
  async close(reason: Error, withinMs: number): Promise<void> {
    this.#closedBy = reason;
    this.#cancelRetry?.();
    for (const waiting of this.#waiting) waiting.fail(reason);
    const goodbyes = this.#idle.splice(0).map((connection) => connection.close());
    await Promise.all(goodbyes);
    if (this.#open.size === 0) return;
    const busy = [...this.#open];
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.after(withinMs, () => {
        for (const connection of busy) connection.drop();
      });
      let left = busy.length;
      for (const connection of busy) {
        connection.onEnd(() => {
          left--;
          if (left > 0) return;
          cancel();
          resolve();
        });
      }
    });
  }

  #place(connection: Connection): void {
    if (this.#closedBy !== undefined) {
      connection.drop();
      return;
    }
    const [next] = this.#waiting;
    if (next === undefined) this.#idle.push(connection);
    else next.take(connection);
  }

  /** Opens connections for those who wait, as many as may be. After a failure only one, and not at once. */
  #grow(): void {
    if (this.#closedBy !== undefined || this.#cancelRetry !== undefined) return;
    const wanted = this.#failures > 0 ? 1 : this.#waiting.size;
    while (this.#opening < wanted && this.#open.size + this.#opening < this.#most) {
      this.#opening++;
      Connection.open(this.#options).then(this.#opened, this.#failed);
    }
  }

  readonly #opened = (connection: Connection): void => {
    this.#opening--;
    this.#failures = 0;
    this.#open.add(connection);
    connection.onEnd(() => {
      this.#open.delete(connection);
      const at = this.#idle.indexOf(connection);
      if (at >= 0) this.#idle.splice(at, 1);
      this.#grow();
    });
    this.#place(connection);
  };

  readonly #failed = (error: Error): void => {
    this.#opening--;
    this.#failures++;
    // While there is another connection, its turn will come; it may be that the server takes no more.
    if (this.#open.size === 0) for (const waiting of this.#waiting) waiting.fail(error);
    this.#cancelRetry ??= this.#clock.after(
      backoffMs(this.#failures),
      () => {
        this.#cancelRetry = undefined;
        this.#grow();
      },
      { background: true },
    );
  };
}
