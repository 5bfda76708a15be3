/** Where requests come in: at a network address, at a unix socket, or at both, with the same server behind them. */
import { createServer, type Server, type ServerOptions } from "node:http";
import type { AddressInfo } from "node:net";
import { invalid } from "../errors.js";
import { answerClientError } from "./client-error.js";
import type { Listener } from "./listener.js";
import { listenOnSocket } from "./socket-file.js";
import { Incoming } from "./wire/incoming.js";

export interface EntranceAddresses {
  /** Port 0: any free one. */
  readonly listen?: { readonly host: string; readonly port: number } | undefined;
  /** Path of a unix socket. */
  readonly socket?: string | undefined;
}

export interface EntranceTerms {
  readonly listener: Pick<Listener, "listen" | "upgrade">;
  readonly timeouts: Pick<
    ServerOptions,
    "headersTimeout" | "requestTimeout" | "connectionsCheckingInterval" | "keepAliveTimeout"
  >;
  /** At each of them. */
  readonly maxConnections: number;
  /** A connection was dropped, because there were too many. */
  readonly onDrop: () => void;
}

export class Entrances {
  readonly #network: Server | undefined;
  readonly #servers: readonly Server[];
  #closed: Promise<void> | undefined = undefined;

  /** @throws the system's error when an address cannot be listened on; LockError `invalid` for a bad path of a socket, or when there is no address at all. */
  static async open({ listen, socket }: EntranceAddresses, terms: EntranceTerms): Promise<Entrances> {
    if (listen === undefined && socket === undefined)
      throw invalid("listen", undefined, "a network address, a socket, or both");
    const network = listen && createEntrance(terms);
    const local = socket === undefined ? undefined : createEntrance(terms);
    const entrances = new Entrances(network, local);
    try {
      // The socket first: the network is open only once nothing can fail any more.
      if (local !== undefined && socket !== undefined) await listenOnSocket(local, socket);
      if (network !== undefined && listen !== undefined) await listenOnNetwork(network, listen);
    } catch (error) {
      await entrances.close();
      throw error;
    }
    return entrances;
  }

  private constructor(network: Server | undefined, local: Server | undefined) {
    this.#network = network;
    this.#servers = [network, local].filter((server) => server !== undefined);
  }

  /** Undefined without a network address. */
  get address(): AddressInfo | undefined {
    const address = this.#network?.address();
    return typeof address === "object" && address !== null ? address : undefined;
  }

  /** Lets nobody in any more and closes idle connections. Resolves when the last one has ended. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= Promise.all(this.#servers.map(closed)).then(() => undefined);
    return this.#closed;
  }

  cutConnections(): void {
    for (const server of this.#servers) server.closeAllConnections();
  }
}

function createEntrance({ listener, timeouts, maxConnections, onDrop }: EntranceTerms): Server {
  const server = createServer(
    {
      ...timeouts,
      IncomingMessage: Incoming,
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
  server.on("drop", onDrop);
  return server;
}

function listenOnNetwork(server: Server, { host, port }: { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
