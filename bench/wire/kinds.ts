/** Who takes part. The processes of a pair find each other's kind here, by name. */
import { bareFlushed, bareTcp, bareWebSocket } from "./floor/bare.js";
import { bareHttp } from "./floor/bare-http.js";
import { engramEmbedded, engramEmbeddedHttp, engramMemory, engramMemoryHttp } from "./peers/engram-lock.js";
import { liveMutexTcp, liveMutexUnix } from "./peers/live-mutex.js";
import { redisFlushed, redisPlain, redisSemaphore, redlock } from "./peers/redis.js";
import type { WireKind } from "./wire-kind.js";

/** Those that keep locks in memory. */
export const inMemory: readonly WireKind[] = [
  engramMemory,
  redisPlain,
  redlock,
  redisSemaphore,
  liveMutexTcp,
  liveMutexUnix,
  bareWebSocket,
  bareTcp,
];

/** Those that flush every acknowledgement to the disk. */
export const flushed: readonly WireKind[] = [engramEmbedded, redisFlushed, bareFlushed];

/** Those that take several paths in one request. */
export const severalAtOnce: readonly WireKind[] = [
  engramMemory,
  engramEmbedded,
  redisPlain,
  redlock,
  bareWebSocket,
  bareTcp,
];

export const overHttp: readonly WireKind[] = [engramMemoryHttp, engramEmbeddedHttp, bareHttp];

/** Those whose memory is measured: one of each kind of server. */
export const holders: readonly WireKind[] = [
  engramMemory,
  engramEmbedded,
  redisPlain,
  liveMutexTcp,
  bareWebSocket,
];

const all = new Map([...inMemory, ...flushed, ...overHttp].map((kind) => [kind.name, kind]));

export function kindOf(name: string): WireKind {
  const kind = all.get(name);
  if (kind === undefined) throw new Error(`There is no contestant "${name}"`);
  return kind;
}
