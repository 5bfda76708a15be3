/** A lock server and its client, each in a process of its own. */
import type { Contestant } from "../contestants/contestant.js";
import { settledHeap } from "../settled-heap.js";

export interface WireKind {
  readonly name: string;
  /** Starts the server, in the process that is the server or looks after it. Undefined where it cannot run; `why` says what is missing. */
  serve(): Promise<WireServer | undefined>;
  readonly why?: string;
  /** One connection, or whatever the library makes of it, in the process of the client. */
  connect(address: string): Promise<Contestant>;
}

export interface WireServer {
  readonly address: string;
  /** CPU time so far, in microseconds. */
  cpuMicros(): Promise<number> | number;
  /** Memory in use, after whatever can be cleared away has been. */
  bytes(): Promise<number> | number;
  stop(): Promise<void>;
}

/** For servers that run in this process. */
export const ofThisProcess: Pick<WireServer, "cpuMicros" | "bytes"> = {
  cpuMicros() {
    const { user, system } = process.cpuUsage();
    return user + system;
  },
  bytes: settledHeap,
};
