/** Hears what other handles announce: watches the hint keys, on one connection that is made anew whenever it breaks. */
import { type Clock, sleep } from "../../clock/clock.js";
import type { Listeners } from "../listeners.js";
import { decoded, type KeyValue, parsed } from "./answers.js";
import type { Gateway } from "./gateway.js";
import type { Keyspace } from "./keyspace.js";

const firstPauseMs = 50;
const longestPauseMs = 500;
/** A hint of one's own that is not heard within this says that the connection is dead, however sound it looks. */
const ownHintWithinMs = 2_000;

/** One line of the answer to a watch. */
interface WatchLine {
  readonly result?: {
    readonly header: { readonly revision?: string };
    readonly created?: boolean;
    readonly canceled?: boolean;
    readonly events?: readonly { readonly kv: KeyValue }[];
  };
}

export class HintWatch {
  readonly #gateway: Gateway;
  readonly #keyspace: Keyspace;
  readonly #listeners: Listeners;
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  #connection: AbortController | undefined;
  #running: Promise<void> | undefined;
  /** Of the latest line; 0: watch from now on. */
  #revision = 0;
  #failures = 0;
  #tried: () => void = () => {};
  #cancelCheck = (): void => {};
  #isChecking = false;

  constructor(gateway: Gateway, keyspace: Keyspace, listeners: Listeners, clock: Clock) {
    this.#gateway = gateway;
    this.#keyspace = keyspace;
    this.#listeners = listeners;
    this.#clock = clock;
  }

  /** Resolves when the first attempt to watch has succeeded or failed; in both cases it goes on until closed. */
  async start(): Promise<void> {
    if (this.#running !== undefined) return;
    const tried = new Promise<void>((resolve) => {
      this.#tried = resolve;
    });
    this.#running = this.#run();
    await tried;
  }

  /** Makes the connection anew: the member it goes to may be gone. */
  restart(): void {
    this.#connection?.abort();
  }

  /** A hint of this revision was written, and has to be heard here as well. */
  expect(revision: number): void {
    if (this.#running === undefined || this.#isChecking || this.#revision >= revision) return;
    this.#isChecking = true;
    this.#cancelCheck = this.#clock.after(
      ownHintWithinMs,
      () => {
        this.#isChecking = false;
        if (this.#revision < revision) this.restart();
      },
      { background: true },
    );
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#cancelCheck();
    this.restart();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      try {
        await this.#watch();
      } catch {
        // Whatever it is, the next attempt may fare better; until then hints are lost, which they may be.
      }
      this.#tried();
      await this.#pause();
    }
  }

  async #watch(): Promise<void> {
    const { from, to } = this.#keyspace.hints;
    const resumed = this.#revision > 0 ? { start_revision: String(this.#revision + 1) } : {};
    this.#connection = new AbortController();
    await this.#gateway.follow(
      "/v3/watch",
      JSON.stringify({ create_request: { key: from, range_end: to, ...resumed } }),
      (line) => this.#hear(line),
      this.#connection.signal,
    );
  }

  #hear(line: string): void {
    const { result } = parsed<WatchLine>(line);
    if (result === undefined || result.canceled) {
      // Compacted away, or the member has lost its leader: what was announced meanwhile is lost.
      this.#revision = 0;
      this.restart();
      return;
    }
    this.#revision = Math.max(this.#revision, Number(result.header.revision ?? 0));
    if (result.created) {
      this.#failures = 0;
      this.#tried();
    }
    const paths = (result.events ?? []).flatMap(({ kv }) => pathsOf(kv.value));
    this.#listeners.tell(paths);
  }

  /** Grows from failure to failure, with jitter, so that not all handles come back at once. */
  async #pause(): Promise<void> {
    const longest = Math.min(firstPauseMs * 2 ** this.#failures++, longestPauseMs);
    try {
      const pause = longest * (0.5 + Math.random() / 2);
      await sleep(this.#clock, pause, { signal: this.#closing.signal, background: true });
    } catch {
      // Closed meanwhile.
    }
  }
}

/** A removed hint has no value, and one that only makes a commit count has no paths. */
function pathsOf(value: string | undefined): readonly string[] {
  return value === undefined ? [] : parsed<readonly string[]>(decoded(value));
}
