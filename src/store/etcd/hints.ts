/**
 * Hears what other handles announce: watches the hint keys, anew whenever the connection breaks. It is the connection of all requests, so one that has
 * died without a word is found out by the next request.
 */
import { type Clock, sleep } from "../../clock/clock.js";
import type { HintListener } from "../store.js";
import type { Cluster } from "./cluster.js";
import { parsed } from "./entries.js";
import type { Keyspace } from "./keyspace.js";
import { type KeyValue, readWatch, watchRequest } from "./messages.js";

const firstPauseMs = 50;
const longestPauseMs = 500;

export class HintWatch {
  readonly #cluster: Cluster;
  readonly #keyspace: Keyspace;
  readonly #clock: Clock;
  readonly #tell: HintListener;
  readonly #closing = new AbortController();
  #connection: AbortController | undefined;
  #running: Promise<void> | undefined;
  /** Of the latest message; 0: watch from now on. */
  #revision = 0;
  #failures = 0;
  #tried: () => void = () => {};

  /** `tell` gets etcd's own revisions. */
  constructor(cluster: Cluster, keyspace: Keyspace, clock: Clock, tell: HintListener) {
    this.#cluster = cluster;
    this.#keyspace = keyspace;
    this.#clock = clock;
    this.#tell = tell;
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

  async close(): Promise<void> {
    this.#closing.abort();
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
    this.#connection = new AbortController();
    await this.#cluster.follow(
      "etcdserverpb.Watch/Watch",
      watchRequest(this.#keyspace.hints, this.#revision === 0 ? 0 : this.#revision + 1),
      (message) => this.#hear(message),
      this.#connection.signal,
    );
  }

  #hear(message: Buffer): void {
    const { revision, created, canceled, written } = readWatch(message);
    if (canceled) {
      // Compacted away, or the member has lost its leader: what was announced meanwhile is lost.
      this.#revision = 0;
      this.restart();
      return;
    }
    this.#revision = Math.max(this.#revision, revision);
    if (created) {
      this.#failures = 0;
      this.#tried();
    }
    for (const hint of written) this.#tell(textsOf(hint), hint.modRevision);
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

/** A removed hint has no value, and one that only makes a commit count has no texts. */
function textsOf({ value }: KeyValue): readonly string[] {
  return value.length === 0 ? [] : parsed<readonly string[]>(value);
}
