/** `GET /v1/events`: what happens, as it happens. */
import { invalid } from "../../errors.js";
import { eventQuerySchema, eventSchema, type Subscription } from "../../protocol/event.js";
import { eventStreamAnswer } from "../answer.js";
import { EventStream } from "../event-stream.js";
import type { Exchange } from "../exchange.js";
import { readQuery } from "../request-query.js";
import { type Route, refusalResponses } from "../route.js";
import type { Services } from "../services.js";

export function eventsRoute(services: Services): Route {
  return {
    method: "get",
    path: "/v1/events",
    description: {
      operationId: "watchEvents",
      summary: "Watch what happens",
      description:
        "Server-sent events, each with `id`, `event` (its type) and `data` (an Event as JSON). Told is what happens through this server. With `since` or `Last-Event-ID` the stream goes on behind that event; when that cannot be done, and when a reader is too slow, a `reset` comes first: look at the state anew. A comment comes every 15 s when there is nothing else. A reader that takes nothing for as long is cut off.",
      request: { query: eventQuerySchema },
      responses: {
        200: { description: "Events.", content: { "text/event-stream": { schema: eventSchema } } },
        ...refusalResponses(429),
      },
    },
    answer: (exchange) => {
      const subscription = subscriptionOf(exchange);
      const { clock, events, streams } = services;
      const stream = new EventStream({
        open: (onNews) => events.open(subscription, onNews),
        clock,
        onStalled: () => exchange.outgoing.destroy(),
      });
      // Also when it is refused now, and after HEAD, which nobody reads the stream of.
      exchange.whenOver(() => stream.end());
      const leave = streams.enter(() => stream.end());
      exchange.whenOver(leave);
      return eventStreamAnswer(stream.body);
    },
  };
}

/** A browser that comes back says in a header where it was; its address is still the one that it began with. */
function subscriptionOf(exchange: Exchange): Subscription {
  const query = readQuery(exchange, eventQuerySchema);
  const lastId = exchange.header("last-event-id");
  if (lastId === undefined) return query;
  if (!/^\d{1,15}$/.test(lastId)) throw invalid("Last-Event-ID", lastId, "the id of an event");
  return { ...query, since: Number(lastId) };
}
