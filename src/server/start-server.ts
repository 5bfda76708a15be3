/** The HTTP server: one lock manager for everybody who can reach the address. */
import type { AddressInfo } from "node:net";
import type { Clock } from "../clock/clock.js";
import { type EntranceAddresses, Entrances } from "./entrances.js";
import { createListener, type Listener } from "./listener.js";
import { createServices, type ServiceOptions, type Services } from "./services.js";
import { WebSockets } from "./wire/sockets.js";

const defaultMaxConnections = 10_000;
const defaultDrainMs = 10_000;

/** Against callers that send a byte now and then (slowloris). A long wait begins when the request is complete. */
const timeouts = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 5_000,
  keepAliveTimeout: 15_000,
};

/** Where to listen: a network address, a unix socket, or both. */
export interface ServerOptions extends EntranceAddresses, ServiceOptions {
  /** Names that may stand in `Host` beside 127.0.0.1, localhost and [::1]. */
  readonly allowedHosts?: readonly string[];
  /** At each of the two addresses. Default 10,000. */
  readonly maxConnections?: number;
  /** How long `drain` waits for requests to end. Default 10 s. */
  readonly drainDeadlineMs?: number;
  /** Tests shorten them. */
  readonly timeouts?: Partial<typeof timeouts>;
}

export interface HttpServer {
  /** Undefined without a network address. */
  readonly address: AddressInfo | undefined;
  /** For clients: of the network address, else of the socket, `unix:PATH`. */
  readonly url: string;
  /** Ends waits, answers what runs, then closes. At the deadline it closes whatever is left. Idempotent. */
  drain(): Promise<void>;
  /** Closes at once, cutting every connection. Idempotent. */
  close(): Promise<void>;
}

/** Rejects with the system's error when an address cannot be listened on, `EADDRINUSE` also when a server answers at the socket. */
export async function startServer(options: ServerOptions): Promise<HttpServer> {
  const { clock, logger, listen, socket, maxConnections = defaultMaxConnections } = options;
  const services = createServices(options);
  const sockets = new WebSockets(services);
  const listener = createListener(services, sockets, [
    ...namesOf(listen?.host),
    ...(options.allowedHosts ?? []),
  ]);
  const terms = {
    listener,
    timeouts: { ...timeouts, ...options.timeouts },
    maxConnections,
    onDrop: () => logger.warn({ max_connections: maxConnections }, "connection dropped"),
  };
  try {
    const entrances = await Entrances.open({ listen, socket }, terms);
    const drainMs = options.drainDeadlineMs ?? defaultDrainMs;
    return new RunningServer({ entrances, socket, listener, sockets, services, clock, drainMs });
  } catch (error) {
    sockets.close();
    throw error;
  }
}

/** The address that is listened on may be asked for by itself, unless it stands for all of them. */
function namesOf(host: string | undefined): string[] {
  if (host === undefined || host === "0.0.0.0" || host === "::") return [];
  return [host.includes(":") ? `[${host}]` : host];
}

interface RunningParts {
  readonly entrances: Entrances;
  readonly socket: string | undefined;
  readonly listener: Listener;
  readonly sockets: WebSockets;
  readonly services: Services;
  readonly clock: Clock;
  readonly drainMs: number;
}

class RunningServer implements HttpServer {
  readonly address: AddressInfo | undefined;
  readonly url: string;
  readonly #parts: RunningParts;
  #draining: Promise<void> | undefined = undefined;
  #closing: Promise<void> | undefined = undefined;

  constructor(parts: RunningParts) {
    const { address } = parts.entrances;
    this.#parts = parts;
    this.address = address;
    this.url = address === undefined ? `unix:${parts.socket}` : urlOf(address);
  }

  drain(): Promise<void> {
    this.#draining ??= this.#drain();
    return this.#draining;
  }

  async #drain(): Promise<void> {
    const { entrances, listener, sockets, services, clock, drainMs } = this.#parts;
    const deadline = new AbortController();
    const cancel = clock.after(drainMs, () => deadline.abort());
    services.waits.drain();
    services.streams.drain();
    // Those that run now. New ones are still answered, with what keeps others from coming here.
    const over = [...listener.open].map(
      (exchange) => new Promise<void>((resolve) => exchange.whenOver(() => resolve())),
    );
    const late = aborted(deadline.signal);
    await Promise.race([Promise.all([...over, sockets.sessions.drain()]), late]);
    await Promise.race([entrances.close(), late]);
    cancel();
    await this.close();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { entrances, sockets, services } = this.#parts;
    services.waits.drain();
    services.streams.drain();
    services.events.close();
    const closed = entrances.close();
    sockets.close();
    entrances.cutConnections();
    await closed;
    await services.background.settled();
  }
}

function urlOf({ family, address, port }: AddressInfo): string {
  return `http://${family === "IPv6" ? `[${address}]` : address}:${port}`;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
