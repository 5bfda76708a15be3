/** Takes requests from Node's server, lets the gate look at them, and hands them to the routes. */
import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { getRequestListener } from "@hono/node-server";
import { durationHeader, storeTimeHeader } from "../protocol/headers.js";
import { type Answer, type WholeAnswer, withHeaders, withRequestId } from "./answer.js";
import { createApp } from "./app.js";
import { endWith } from "./client-error.js";
import { Exchange } from "./exchange.js";
import { createGate } from "./gate.js";
import { isExpected, refusalAnswer } from "./refusal-answer.js";
import { CallerGone } from "./request-body.js";
import { logRequest } from "./request-log.js";
import type { Services } from "./services.js";
import type { WebSockets } from "./wire/sockets.js";
import { createUpgrade, type Upgrade } from "./wire/upgrade.js";

export interface Listener {
  readonly listen: (incoming: IncomingMessage, outgoing: ServerResponse) => void;
  /** For requests that ask for another protocol. */
  readonly upgrade: (incoming: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** The requests that are being answered. */
  readonly open: ReadonlySet<Exchange>;
}

export function createListener(
  services: Services,
  sockets: WebSockets,
  allowedHosts: readonly string[],
): Listener {
  const { clock, log } = services;
  const open = new Set<Exchange>();
  const byRequest = new WeakMap<object, Exchange>();
  const gate = createGate(allowedHosts);
  const app = createApp(services, {
    complete: (exchange, answer) => complete(services, exchange, answer),
    refuse: (exchange, error) => complete(services, exchange, refuse(services, exchange, error)),
  });
  const route = getRequestListener((request, { incoming }) => {
    const exchange = byRequest.get(incoming);
    if (exchange === undefined) throw new Error("A request came by another way than through the gate.");
    return app(request, exchange);
  });

  const listen = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    const exchange = new Exchange(incoming, outgoing, clock);
    byRequest.set(incoming, exchange);
    open.add(exchange);
    exchange.whenOver((delivered) => {
      open.delete(exchange);
      logRequest(log, exchange, delivered);
    });
    try {
      gate(incoming);
    } catch (error) {
      write(outgoing, withRequestId(refuse(services, exchange, error), exchange.requestId));
      return;
    }
    route(incoming, outgoing).catch((error: unknown) => {
      log.error({ request_id: exchange.requestId, err: error }, "could not answer");
      outgoing.destroy();
    });
  };
  const accept = createUpgrade(gate, sockets);
  const upgrade: Upgrade = (incoming, socket, head) => {
    try {
      accept(incoming, socket, head);
    } catch (error) {
      const requestId = randomUUID();
      const answer = refusalAnswer(error, { now: services.manager.currentTime(), requestId });
      if (!isExpected(error)) log.error({ request_id: requestId, err: error }, "unexpected failure");
      endWith(socket, withRequestId(answer, requestId));
    }
  };
  return { listen, upgrade, open };
}

function complete({ manager, waits }: Services, exchange: Exchange, answer: Answer): Answer {
  return withHeaders(answer, {
    "x-request-id": exchange.requestId,
    ...(exchange.route.startsWith("/v1/") && {
      [storeTimeHeader]: manager.currentTime().toISOString(),
      [durationHeader]: `total;dur=${exchange.elapsedMs.toFixed(1)}`,
    }),
    ...(waits.draining && { connection: "close" }),
  });
}

function refuse({ manager, log }: Services, exchange: Exchange, error: unknown): WholeAnswer {
  const { requestId } = exchange;
  if (!isExpected(error) && !(error instanceof CallerGone))
    log.error({ request_id: requestId, err: error }, "unexpected failure");
  return refusalAnswer(error, { now: manager.currentTime(), requestId });
}

/** For what is refused before the routes. */
function write(outgoing: ServerResponse, { status, headers, body }: WholeAnswer): void {
  outgoing.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) });
  outgoing.end(body);
}
