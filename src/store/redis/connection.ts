/** The connection for requests: made anew by itself, trusted once the server was looked at, and exact about what a failure means. */
import { setMaxListeners } from "node:events";
import { type Clock, sleep } from "../../clock/clock.js";
import { StoreError } from "../store.js";
import { type Client, createClient, disconnect } from "./driver.js";
import { codeOf, failureOf, unsent } from "./failures.js";
import { inspect } from "./inspection.js";
import type { Limits } from "./limits.js";
import type { RedisPlace } from "./redis-url.js";

export interface Request {
  readonly send: (client: Client) => Promise<unknown>;
  /** What a failure means that says nothing about it: `unknown` for a commit, `none` for a read. */
  readonly outcome: "none" | "unknown";
  readonly signal?: AbortSignal | undefined;
}

/** Tries on a new connection whether all that is needed can be done; resolves with what the server says of itself. */
type Attempt = (client: Client) => Promise<unknown>;

export class Connection {
  /** For messages: where the server is, without a password. */
  readonly where: string;
  readonly #requireDurable: boolean;
  readonly #attempt: Attempt;
  readonly #clock: Clock;
  readonly #client: Client;
  #isTrusted = false;
  #isClosed = false;
  /** Why it is not connected. */
  #trouble: StoreError;

  /** Rejects with a `StoreError` when there is no server, or none that can carry locks. */
  static async open(place: RedisPlace, limits: Limits, clock: Clock, attempt: Attempt): Promise<Connection> {
    const connection = new Connection(place, limits, clock, attempt);
    const late = new AbortController();
    try {
      await Promise.race([
        connection.#connect(),
        sleep(clock, 2 * limits.connectMs, late).then(() => Promise.reject(connection.#trouble)),
      ]);
      return connection;
    } catch (error) {
      await connection.close();
      throw error;
    } finally {
      late.abort();
    }
  }

  private constructor(place: RedisPlace, limits: Limits, clock: Clock, attempt: Attempt) {
    this.#requireDurable = place.requireDurable;
    this.#attempt = attempt;
    this.#clock = clock;
    this.where = place.hosts.map(({ host, port }) => `${host}:${port}`).join(", ");
    this.#trouble = unsent(`Redis at ${this.where} did not answer in time.`, true);
    this.#client = createClient(place, limits);
    this.#client.on("error", (error: unknown) => this.#fail(error));
    this.#client.on("close", () => {
      if (this.#isTrusted) this.#trouble = unsent(`The connection to Redis at ${this.where} was lost.`, true);
      this.#isTrusted = false;
    });
  }

  requireOpen(): void {
    if (this.#isClosed) throw unsent(`The store on Redis at ${this.where} is closed.`, false);
  }

  async send({ send, outcome, signal }: Request): Promise<unknown> {
    this.requireOpen();
    if (signal?.aborted) throw unsent(gaveUp(this.where), true, signal.reason);
    if (!this.#isTrusted) throw this.#trouble;
    try {
      return await (signal === undefined ? send(this.#client) : this.#abortable(send, outcome, signal));
    } catch (error) {
      throw error instanceof StoreError ? error : failureOf(error, this.where, outcome);
    }
  }

  /** Idempotent. What is under way fails, unless it is answered at once. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await disconnect(this.#client, this.#clock);
  }

  /** Resolves when the first connection can be trusted; later ones are looked at by themselves. */
  #connect(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#client.on("ready", () => {
        this.#inspect().then(
          () => {
            this.#isTrusted = !this.#isClosed;
            resolve();
          },
          (error: unknown) => {
            this.#fail(error);
            reject(this.#trouble);
            // Whatever is there after the next attempt is looked at again.
            if (!this.#isClosed) this.#client.disconnect(true);
          },
        );
      });
      this.#client.connect().catch(() => reject(this.#trouble));
    });
  }

  async #inspect(): Promise<void> {
    const said = await this.#attempt(this.#client);
    await inspect(String(said), this.#client, this.where, this.#requireDurable);
  }

  #fail(problem: unknown): void {
    if (problem instanceof StoreError) {
      this.#trouble = problem;
      return;
    }
    // Of a cluster of which no node answers.
    const error = problem instanceof Error && "lastNodeError" in problem ? problem.lastNodeError : problem;
    const failure = codeOf(error) === undefined ? undefined : failureOf(error, this.where, "none");
    const why = error instanceof Error ? error.message : String(error);
    this.#trouble = failure ?? unsent(`Redis at ${this.where} cannot be reached: ${why}`, true, error);
  }

  #abortable(send: Request["send"], outcome: Request["outcome"], signal: AbortSignal): Promise<unknown> {
    // Callers may use one signal for any number of calls, which Node would take for a leak.
    setMaxListeners(0, signal);
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        reject(new StoreError(gaveUp(this.where), { outcome, retryable: true, cause: signal.reason }));
      };
      signal.addEventListener("abort", giveUp, { once: true });
      send(this.#client)
        .then(resolve, reject)
        .finally(() => signal.removeEventListener("abort", giveUp));
    });
  }
}

function gaveUp(where: string): string {
  return `Gave up on Redis at ${where}: the signal is aborted.`;
}
