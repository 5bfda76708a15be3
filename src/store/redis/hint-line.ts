/** The connection for hints: made anew by itself, at another server of a cluster each time. What was said meanwhile is not heard. */
import type { Redis } from "ioredis";
import type { Cancel, Clock } from "../../clock/clock.js";
import type { HintListener } from "../store.js";
import { createSubscriber, disconnect, pause } from "./driver.js";
import { failureOf } from "./failures.js";
import type { Limits } from "./limits.js";
import type { RedisPlace } from "./redis-url.js";

/** How often a line is asked for a sign of life that might be dead without anybody having said so. */
const signOfLifeMs = 2_000;

export interface HintLineOptions {
  readonly place: RedisPlace;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly channel: string;
  readonly where: string;
  readonly hear: HintListener;
}

export class HintLine {
  readonly #options: HintLineOptions;
  #client: Redis | undefined;
  #attempt = 0;
  #failures = 0;
  #cancel: Cancel = () => undefined;
  #opening: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: HintLineOptions) {
    this.#options = options;
  }

  /** Resolves once hints are heard; rejects with a `StoreError` when the first attempt fails, and the next call tries anew. */
  async open(): Promise<void> {
    this.#opening ??= this.#connect();
    try {
      await this.#opening;
    } catch (error) {
      this.#opening = undefined;
      throw failureOf(error, this.#options.where, "none");
    }
    this.#failures = 0;
  }

  /** Idempotent. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancel();
    if (this.#client !== undefined) await disconnect(this.#client, this.#options.clock);
  }

  async #connect(): Promise<void> {
    const { place, limits, channel, hear } = this.#options;
    const client = createSubscriber(place, limits, this.#attempt++);
    let trouble: unknown;
    client.on("error", (error: unknown) => {
      trouble = error;
    });
    client.on("message", (_channel: string, text: string) => hearMessage(text, hear));
    this.#client = client;
    try {
      await client.connect();
      await client.subscribe(channel);
    } catch (error) {
      client.disconnect();
      throw trouble ?? error;
    }
    if (this.#isClosed) {
      client.disconnect();
      return;
    }
    client.once("end", () => this.#later());
    this.#watch(client);
  }

  #watch(client: Redis): void {
    this.#cancel = this.#options.clock.after(
      signOfLifeMs,
      () => {
        client.ping().then(
          () => {
            if (client.status === "ready") this.#watch(client);
          },
          () => client.disconnect(),
        );
      },
      { background: true },
    );
  }

  #later(): void {
    this.#cancel();
    if (this.#isClosed) return;
    this.#cancel = this.#options.clock.after(
      pause(++this.#failures),
      () => {
        this.#connect().then(
          () => {
            this.#failures = 0;
          },
          () => this.#later(),
        );
      },
      { background: true },
    );
  }
}

/** A message has the revision, and a list of texts for each change. Anything else on the channel is nobody's hint. */
function hearMessage(message: string, hear: HintListener): void {
  let parts: unknown;
  try {
    parts = JSON.parse(message);
  } catch {
    return;
  }
  const list: readonly unknown[] = Array.isArray(parts) ? parts : [];
  const [revision, ...lists] = list;
  const texts = lists.flat().filter((text) => typeof text === "string");
  if (typeof revision === "number") hear(texts, revision);
}
