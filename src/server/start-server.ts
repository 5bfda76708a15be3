/** The HTTP server: one lock manager for everybody who can reach the address. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Logger } from "pino";
import type { Clock } from "../clock/clock.js";
import { LockError } from "../errors.js";
import { answerClientError } from "./client-error.js";
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

export interface ServerOptions extends ServiceOptions {
  /** Port 0: any free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /** Names that may stand in `Host` beside 127.0.0.1, localhost and [::1]. */
  readonly allowedHosts?: readonly string[];
  /** Default 10,000. */
  readonly maxConnections?: number;
  /** How long `drain` waits for requests to end. Default 10 s. */
  readonly drainDeadlineMs?: number;
  /** Tests shorten them. */
  readonly timeouts?: Partial<typeof timeouts>;
}

export interface HttpServer {
  readonly address: AddressInfo;
  readonly url: string;
  /** Ends waits, answers what runs, then closes. At the deadline it closes whatever is left. Idempotent. */
  drain(): Promise<void>;
  /** Closes at once, cutting every connection. Idempotent. */
  close(): Promise<void>;
}

/** Rejects with the system's error when the address cannot be listened on. */
export async function startServer(options: ServerOptions): Promise<HttpServer> {
  const { clock, logger, listen, maxConnections = defaultMaxConnections } = options;
  const services = createServices(options);
  const sockets = new WebSockets(services);
  const listener = createListener(services, sockets, [
    ...namesOf(listen.host),
    ...(options.allowedHosts ?? []),
  ]);
  const server = createServer(
    {
      ...timeouts,
      ...options.timeouts,
      maxHeaderSize: 16 * 1024,
      // The gate refuses a missing Host in its own words.
      requireHostHeader: false,
      // Finds callers whose machine has gone without a word.
      keepAlive: true,
      keepAliveInitialDelay: 15_000,
    },
    listener.listen,
  );
  server.maxConnections = maxConnections;
  server.on("checkExpectation", listener.listen);
  server.on("upgrade", listener.upgrade);
  server.on("clientError", answerClientError);
  server.on("drop", () => logger.warn({ max_connections: maxConnections }, "connection dropped"));
  try {
    await listening(server, listen);
  } catch (error) {
    sockets.close();
    throw error;
  }
  return new RunningServer({
    server,
    listener,
    sockets,
    services,
    clock,
    drainMs: options.drainDeadlineMs ?? defaultDrainMs,
  });
}

/** The address that is listened on may be asked for by itself, unless it stands for all of them. */
function namesOf(host: string): string[] {
  if (host === "0.0.0.0" || host === "::") return [];
  return [host.includes(":") ? `[${host}]` : host];
}

function listening(server: Server, { host, port }: ServerOptions["listen"]): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

interface RunningParts {
  readonly server: Server;
  readonly listener: Listener;
  readonly sockets: WebSockets;
  readonly services: Services;
  readonly clock: Clock;
  readonly drainMs: number;
}

class RunningServer implements HttpServer {
  readonly address: AddressInfo;
  readonly url: string;
  readonly #parts: RunningParts;
  #draining: Promise<void> | undefined = undefined;
  #closing: Promise<void> | undefined = undefined;
  #stopped: Promise<void> | undefined = undefined;

  constructor(parts: RunningParts) {
    const address = parts.server.address();
    if (address === null || typeof address === "string")
      throw new LockError("closed", "The server listens on no network address.");
    this.#parts = parts;
    this.address = address;
    const host = address.family === "IPv6" ? `[${address.address}]` : address.address;
    this.url = `http://${host}:${address.port}`;
  }

  drain(): Promise<void> {
    this.#draining ??= this.#drain();
    return this.#draining;
  }

  async #drain(): Promise<void> {
    const { listener, sockets, services, clock, drainMs } = this.#parts;
    const deadline = new AbortController();
    const cancel = clock.after(drainMs, () => deadline.abort());
    services.waits.drain();
    // Those that run now. New ones are still answered, with what keeps others from coming here.
    const over = [...listener.open].map(
      (exchange) => new Promise<void>((resolve) => exchange.whenOver(() => resolve())),
    );
    const late = aborted(deadline.signal);
    await Promise.race([Promise.all([...over, sockets.sessions.drain()]), late]);
    await Promise.race([this.#stopListening(), late]);
    cancel();
    await this.close();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { server, sockets, services } = this.#parts;
    services.waits.drain();
    const closed = this.#stopListening();
    sockets.close();
    server.closeAllConnections();
    await closed;
    await services.background.settled();
  }

  /** Closes idle connections too. Resolves when the last connection has ended. */
  #stopListening(): Promise<void> {
    const { server } = this.#parts;
    this.#stopped ??= new Promise((resolve) => server.close(() => resolve()));
    return this.#stopped;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
