/** What happens on the server, for those who read it here. A new connection goes on where the old one broke. */
import { EventBacklog } from "../event-backlog.js";
import type { EventFilter, LockEvent } from "../lock-manager.js";
import { eventFromJson } from "../protocol/event.js";
import { endedSchema, newsSchema, subscribedSchema, unsubscribedSchema } from "../protocol/wire.js";
import type { Calls } from "./calls.js";

/** More than a frame can bring, so that nobody who reads misses any; as many as the server remembers. */
const longestBacklog = 10_000;

interface Subscription {
  readonly number: number;
  readonly filter: EventFilter;
  readonly backlog: EventBacklog;
  /** The last event that came, or the one behind which the first will. */
  position: number | undefined;
}

export class RemoteEvents {
  readonly #calls: Calls;
  readonly #subscriptions = new Map<number, Subscription>();
  #lastNumber = 0;

  constructor(calls: Calls) {
    this.#calls = calls;
  }

  get size(): number {
    return this.#subscriptions.size;
  }

  read(filter: EventFilter): AsyncIterableIterator<LockEvent> {
    const number = ++this.#lastNumber;
    const backlog = new EventBacklog({
      signal: filter.signal,
      prefix: filter.prefix,
      longest: longestBacklog,
      onEnd: () => this.#forget(number),
    });
    if (backlog.ended) return backlog;
    const subscription = { number, filter, backlog, position: filter.since };
    this.#subscriptions.set(number, subscription);
    this.#subscribe(subscription);
    return backlog;
  }

  /** @returns whether the message was one of events. */
  hear(message: object): boolean {
    if (!("subscription" in message)) return false;
    const news = newsSchema.safeParse(message).data;
    if (news !== undefined) {
      this.#offer(news.subscription, eventFromJson(news.event));
      return true;
    }
    const ended = endedSchema.safeParse(message).data;
    if (ended !== undefined) this.#subscriptions.get(ended.subscription)?.backlog.end();
    return true;
  }

  /** The server knows nothing of what was subscribed to before. */
  subscribeAgain(): void {
    for (const subscription of this.#subscriptions.values())
      if (subscription.position !== undefined) this.#subscribe(subscription);
  }

  close(): void {
    for (const { backlog } of this.#subscriptions.values()) backlog.end();
  }

  #offer(number: number, event: LockEvent): void {
    const subscription = this.#subscriptions.get(number);
    if (subscription === undefined) return;
    subscription.position = event.id;
    subscription.backlog.offer(event);
  }

  #subscribe(subscription: Subscription): void {
    const { number, filter, position: since, backlog } = subscription;
    const { prefix, types } = filter;
    const fields = { subscription: number, prefix, types, since };
    this.#calls.make({ op: "subscribe", fields, kind: "look" }, { schema: subscribedSchema }).then(
      ({ answer: { position } }) => {
        subscription.position ??= position;
      },
      (error: unknown) => backlog.fail(error instanceof Error ? error : new Error(String(error))),
    );
  }

  #forget(number: number): void {
    if (!this.#subscriptions.delete(number) || this.#calls.isClosed) return;
    const call = {
      op: "unsubscribe",
      fields: { subscription: number },
      kind: "look",
    } as const;
    this.#calls.make(call, { schema: unsubscribedSchema }).catch(() => {
      // Whoever cannot say so is cut off, and then it is over too.
    });
  }
}
