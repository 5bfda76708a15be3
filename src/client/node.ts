/** `engram-lock/client` in Node, where the package `ws` is faster than the WebSocket of the runtime, and Node 20 has none. */
import { WebSocket } from "ws";
import type { LockManager } from "../lock-manager.js";
import { type ConnectOptions, connectLockManager as connect } from "./connect.js";

export * from "./index.js";

/** As in every other runtime. */
export function connectLockManager(url: string, options: ConnectOptions = {}): LockManager {
  return connect(url, { WebSocket: NodeSocket, ...options });
}

/** How long a server that does not answer keeps a connection, and so this process, from ending. Not in the types of `ws` yet. */
const options = { perMessageDeflate: false, closeTimeout: 1_000 };

class NodeSocket extends WebSocket {
  constructor(url: string, protocols: string[]) {
    super(url, protocols, options);
  }
}
