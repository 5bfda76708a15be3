/** What the commands need from the rest of the program; `main.ts` hands it in, so that help loads none of it. */
import type { Clock } from "../clock/clock.js";
import type { LockManager } from "../lock-manager.js";

/** Where the locks are: a store that this process opens itself, or a server. */
export interface Place {
  readonly kind: "store" | "server";
  readonly url: string;
}

export interface ServeRequest {
  readonly store: string;
  /** Port 0: any free one. */
  readonly listen: { readonly host: string; readonly port: number } | undefined;
  /** Path of a unix socket. */
  readonly socket: string | undefined;
  readonly logLevel: string;
}

export interface RunningServer {
  /** With the port it really listens on; `unix:PATH` when there is only a socket. */
  readonly url: string;
  /** Whether acknowledged locks survive a crash; for the words at the start. */
  readonly durable: boolean;
  /** `efficiency`: the store may lose acknowledged locks. */
  readonly promise: "correctness" | "efficiency";
  /** Takes no new waits, lets what runs finish, and closes everything down to the store. */
  stop(): Promise<void>;
}

export interface Wiring {
  readonly clock: Clock;
  readonly version: string;
  /** Closing the manager closes whatever was opened for it. */
  readonly openManager: (place: Place, agentId: string) => Promise<LockManager>;
  /** Rejects with the system's error when an address cannot be listened on. */
  readonly startServer: (request: ServeRequest) => Promise<RunningServer>;
}
