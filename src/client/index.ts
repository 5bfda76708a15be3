/** `engram-lock/client`: a lock manager of a server, for every runtime that has the standard WebSocket. */

export {
  type Conflict,
  type CycleEdge,
  type ErrorCode,
  type ErrorFacts,
  type ErrorFamily,
  LockError,
} from "../errors.js";
export type * from "../lock-manager.js";
export { type ConnectOptions, connectLockManager } from "./connect.js";
export type { Socket, SocketConstructor } from "./socket.js";
