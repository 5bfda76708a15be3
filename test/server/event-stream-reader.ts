/** Reads a stream of server-sent events as a browser does, at whatever pace the test wants. */
import { type IncomingMessage, request } from "node:http";
import type { z } from "zod";
import type { eventSchema } from "../../src/protocol/event.js";

export interface SentEvent {
  readonly id: number;
  readonly event: string;
  readonly data: z.output<typeof eventSchema>;
}

export interface EventStreamReader {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  /** All that came, in the order in which it came. */
  readonly events: readonly SentEvent[];
  /** The id to come back with, with or without an event. */
  readonly lastId: number;
  readonly comments: number;
  /** Resolves with the events once there are so many. */
  until(count: number): Promise<readonly SentEvent[]>;
  /** Resolves when the other side has ended: true when it was in order. */
  readonly ended: Promise<boolean>;
  pause(): void;
  resume(): void;
  close(): void;
}

export function readEventStream(
  port: number,
  path = "/v1/events",
  headers: Record<string, string> = {},
): Promise<EventStreamReader> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: "127.0.0.1", port, path, headers, agent: false }, (response) =>
      resolve(new Reader(response)),
    );
    outgoing.on("error", reject);
    outgoing.end();
  });
}

class Reader implements EventStreamReader {
  readonly events: SentEvent[] = [];
  readonly ended: Promise<boolean>;
  lastId = Number.NaN;
  comments = 0;
  readonly #response: IncomingMessage;
  #text = "";
  #look: () => void = () => {};

  constructor(response: IncomingMessage) {
    this.#response = response;
    response.setEncoding("utf8").on("data", (text: string) => this.#take(text));
    // A connection that is cut off shows in how it ended.
    response.on("error", () => {});
    this.ended = new Promise((resolve) =>
      response.once("close", () => {
        this.#look();
        resolve(response.complete);
      }),
    );
  }

  get status(): number {
    return this.#response.statusCode ?? 0;
  }

  get headers(): IncomingMessage["headers"] {
    return this.#response.headers;
  }

  async until(count: number): Promise<readonly SentEvent[]> {
    while (this.events.length < count) {
      if (this.#response.closed) throw new Error(`It ended after ${this.events.length} events.`);
      await new Promise<void>((resolve) => {
        this.#look = resolve;
      });
    }
    return this.events;
  }

  pause(): void {
    this.#response.pause();
  }

  resume(): void {
    this.#response.resume();
  }

  close(): void {
    this.#response.destroy();
  }

  #take(text: string): void {
    const parts = (this.#text + text).split("\n\n");
    this.#text = parts.pop() ?? "";
    for (const part of parts) {
      const fields = new Map(
        part.split("\n").map((line) => {
          const end = line.indexOf(":");
          return [line.slice(0, end), line.slice(end + 1).trim()];
        }),
      );
      if (fields.has("")) this.comments++;
      this.lastId = Number(fields.get("id"));
      const data = fields.get("data");
      if (data === undefined) continue;
      this.events.push({ id: this.lastId, event: fields.get("event") ?? "", data: JSON.parse(data) });
    }
    this.#look();
  }
}
