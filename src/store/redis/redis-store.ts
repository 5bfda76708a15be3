/** A store on Redis or Valkey: quick, shared over the network, and able to lose locks when a server fails. */
import type { Clock } from "../../clock/clock.js";
import { Listeners } from "../listeners.js";
import type {
  Change,
  CommitReply,
  HintListener,
  Query,
  ReadReply,
  Store,
  StoreOptions,
  StoreTraits,
  Subscription,
} from "../store.js";
import { Connection } from "./connection.js";
import { HintLine } from "./hint-line.js";
import type { Limits } from "./limits.js";
import { commitArguments, commitReply, readArguments, readReply } from "./messages.js";
import type { RedisPlace } from "./redis-url.js";
import { Script } from "./script.js";
import { commitScript, readScript, trialScript } from "./scripts.js";

const commitBatch = new Script(commitScript);
const readAtOnce = new Script(readScript);
const tryOnce = new Script(trialScript);

/** Rejects with a `StoreError` that says what to do when the server cannot be reached or cannot carry locks. */
export async function openOn(place: RedisPlace, limits: Limits, clock: Clock): Promise<Store> {
  const keys = keysOf(place);
  const connection = await Connection.open(place, limits, clock, (client) => tryOnce.run(client, keys, []));
  return new RedisStore(connection, place, limits, clock);
}

/** The braces put everything of a namespace into one slot of a cluster. */
function home({ namespace }: RedisPlace): string {
  return `{engram-lock:${namespace}}`;
}

/** As the scripts take them. */
function keysOf(place: RedisPlace): readonly string[] {
  return ["entries", "order", "meta"].map((name) => `${home(place)}:${name}`);
}

class RedisStore implements Store {
  readonly traits: StoreTraits;
  readonly #connection: Connection;
  readonly #listeners = new Listeners();
  readonly #hints: HintLine;
  readonly #keys: readonly string[];
  readonly #channel: string;

  constructor(connection: Connection, place: RedisPlace, limits: Limits, clock: Clock) {
    this.traits = {
      name: "redis",
      durable: place.requireDurable,
      sharedBy: "network",
      promise: place.requireDurable ? "correctness" : "efficiency",
      maxKeysPerChange: 10_000,
      commitsUnderWay: 2,
    };
    this.#connection = connection;
    this.#keys = keysOf(place);
    this.#channel = `${home(place)}:hints`;
    this.#hints = new HintLine({
      place,
      limits,
      clock,
      channel: this.#channel,
      where: connection.where,
      hear: (texts, revision) => this.#listeners.tell(texts, revision),
    });
  }

  async commit(changes: readonly Change[], { signal }: StoreOptions = {}): Promise<CommitReply> {
    const answer = await this.#connection.send({
      send: (client) => commitBatch.run(client, this.#keys, commitArguments(this.#channel, changes)),
      outcome: "unknown",
      signal,
    });
    return commitReply(changes, answer);
  }

  async read(query: Query, { signal }: StoreOptions = {}): Promise<ReadReply> {
    const answer = await this.#connection.send({
      send: (client) => readAtOnce.run(client, this.#keys, readArguments(query)),
      outcome: "none",
      signal,
    });
    return readReply(query, answer);
  }

  async subscribe(listener: HintListener): Promise<Subscription> {
    this.#connection.requireOpen();
    await this.#hints.open();
    return this.#listeners.add(listener);
  }

  async close(): Promise<void> {
    this.#listeners.clear();
    await Promise.all([this.#hints.close(), this.#connection.close()]);
  }
}
