/** The store on PostgreSQL: for managers on any number of machines. */

import { Aborts } from "../../aborts.js";
import type { Clock } from "../../clock/clock.js";
import { systemClock } from "../../clock/system-clock.js";
import { Listeners } from "../listeners.js";
import {
  type Change,
  type CommitReply,
  type HintListener,
  type Query,
  type ReadReply,
  type Store,
  StoreError,
  type StoreOptions,
  type StoreTraits,
  type Subscription,
} from "../store.js";
import { type Address, readAddress } from "./address.js";
import { type Call, commitCall, commitReply, type Home, type Row, readCall, readReply } from "./calls.js";
import type { ConnectionOptions, Driver } from "./connection.js";
import { Connections } from "./connections.js";
import { failure, onlyReads } from "./failures.js";
import { Hints } from "./hints.js";
import { type Prepared, prepare } from "./schema.js";

export interface PostgresStoreOptions {
  readonly clock?: Clock;
}

/** A request that has no answer after this long has failed. */
const answerWithinMs = 5_000;
/** How long `close` waits for what is under way. */
const closeWithinMs = 1_000;

/**
 * Opens the store at this URL, and makes its schema and namespace if there are none.
 *
 * Rejects with a `StoreError` that says what to do when the server cannot be reached or used, or the driver is not installed.
 *
 * @throws LockError `invalid` for a bad URL.
 */
export async function openPostgresStore(url: string, options: PostgresStoreOptions = {}): Promise<Store> {
  const address = readAddress(url);
  const { clock = systemClock } = options;
  const driver = await loadDriver();
  const { connectionString, shown } = address;
  const connectionOptions = { driver, clock, connectionString };
  const connections = new Connections(connectionOptions, address.connections);
  try {
    const connection = await connections.lend(answerWithinMs);
    const prepared = await prepare(connection, address);
    connections.giveBack(connection);
    return new PostgresStore(address, prepared, connections, connectionOptions);
  } catch (error) {
    const why = failure(`Cannot open PostgreSQL at ${shown}`, error, { isCommit: false, sent: "not sent" });
    await connections.close(why, 0);
    throw why;
  }
}

async function loadDriver(): Promise<Driver> {
  try {
    const { default: driver } = await import("pg");
    return driver;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND")) throw error;
    throw new StoreError('A store on PostgreSQL needs the package "pg": npm install pg', {
      outcome: "none",
      retryable: false,
      cause: error,
    });
  }
}

class PostgresStore implements Store {
  readonly traits: StoreTraits;
  readonly #place: string;
  readonly #home: Home;
  readonly #connections: Connections;
  readonly #listeners = new Listeners();
  readonly #hints: Hints;
  readonly #aborts = new Aborts();
  /** The latest store time that was heard of, in microseconds: what is heard later is never earlier, even if the server's clock steps back. */
  #latestUs = 0;
  #closed: Promise<void> | undefined;

  constructor(
    { shown }: Address,
    { home, flushes }: Prepared,
    connections: Connections,
    options: ConnectionOptions,
  ) {
    this.traits = {
      name: "postgres",
      durable: flushes,
      sharedBy: "network",
      promise: "correctness",
      maxKeysPerChange: 10_000,
    };
    this.#place = `PostgreSQL at ${shown}`;
    this.#home = home;
    this.#connections = connections;
    this.#hints = new Hints(options, home.channel, this.#listeners);
  }

  async commit(changes: readonly Change[], options?: StoreOptions): Promise<CommitReply> {
    this.#requireOpen();
    const call = commitCall(this.#home, this.#latestUs, changes);
    const row = await this.#ask(call, true, options?.signal);
    const { reply, timeUs } = commitReply(row, changes);
    this.#latestUs = Math.max(this.#latestUs, timeUs);
    return reply;
  }

  async read(query: Query, options?: StoreOptions): Promise<ReadReply> {
    this.#requireOpen();
    const call = readCall(this.#home, this.#latestUs, query);
    const row = await this.#ask(call, false, options?.signal);
    const { reply, timeUs } = readReply(row, query);
    this.#latestUs = Math.max(this.#latestUs, timeUs);
    return reply;
  }

  async subscribe(listener: HintListener): Promise<Subscription> {
    this.#requireOpen();
    await this.#hints.listen();
    this.#requireOpen();
    return this.#listeners.add(listener);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#listeners.clear();
    await Promise.all([this.#hints.close(), this.#connections.close(this.#closedError(), closeWithinMs)]);
  }

  #ask(call: Call, isCommit: boolean, signal: AbortSignal | undefined): Promise<Row> {
    const fate: Fate = { isCommit, sent: "not sent", isGivenUp: false };
    if (signal === undefined) return this.#answer(call, fate);
    const abortion = (): StoreError =>
      this.#failure(new Error("the signal is aborted", { cause: signal.reason }), fate);
    if (signal.aborted) return Promise.reject(abortion());
    return new Promise((resolve, reject) => {
      // The request goes on without us: its connection is free again when it was answered, or its time is up.
      const giveUp = (): void => {
        fate.isGivenUp = true;
        reject(abortion());
      };
      this.#aborts.add(signal, giveUp);
      this.#answer(call, fate)
        .then(resolve, reject)
        .finally(() => this.#aborts.remove(signal, giveUp));
    });
  }

  async #answer(call: Call, fate: Fate): Promise<Row> {
    const connections = this.#connections;
    try {
      const connection = await connections.lend(answerWithinMs);
      try {
        if (fate.isGivenUp) throw new Error("it was given up before it was sent");
        fate.sent = "sent";
        const [row] = await connection.ask(call, answerWithinMs);
        if (row === undefined) throw new Error("the answer has no row");
        return row;
      } catch (error) {
        if (onlyReads(error)) connection.drop();
        // Cut, or without an answer: others may look sound and be dead.
        if (!connection.isUsable) connections.distrustIdle();
        throw error;
      } finally {
        connections.giveBack(connection);
      }
    } catch (error) {
      throw this.#failure(error, fate);
    }
  }

  #failure(error: unknown, fate: Fate): StoreError {
    return failure(`${fate.isCommit ? "A commit to" : "A read from"} ${this.#place} failed`, error, fate);
  }

  #requireOpen(): void {
    if (this.#closed !== undefined) throw this.#closedError();
  }

  #closedError(): StoreError {
    return new StoreError(`The store on ${this.#place} is closed.`, { outcome: "none", retryable: false });
  }
}

/** What is known of one request. */
interface Fate {
  readonly isCommit: boolean;
  sent: "not sent" | "sent";
  isGivenUp: boolean;
}
