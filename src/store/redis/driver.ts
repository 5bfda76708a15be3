/** How this store uses ioredis: it never sends anything a second time or later, because only the manager knows whether that is harmless. */
import { Cluster, Redis } from "ioredis";
import type { Clock } from "../../clock/clock.js";
import { codeOf } from "./failures.js";
import type { Limits } from "./limits.js";
import type { RedisPlace } from "./redis-url.js";

export type Client = Redis | Cluster;

const firstPauseMs = 20;
const longestPauseMs = 300;
/** What a connection gets to end in order, before it is cut. */
const farewellMs = 100;

/** For requests. Not connected yet. */
export function createClient(place: RedisPlace, limits: Limits): Client {
  const options = {
    ...connectionOptions(place, limits),
    maxRetriesPerRequest: 0,
    commandTimeout: limits.requestMs,
    // A server that has become a replica: look for the one that took over.
    reconnectOnError: (error: Error) => codeOf(error) === "READONLY",
  };
  if (!place.isCluster)
    return new Redis({
      ...options,
      ...target(place),
      db: place.database,
      enableOfflineQueue: false,
      retryStrategy: pause,
      sentinelRetryStrategy: pause,
    });
  return new Cluster([...place.hosts], {
    lazyConnect: true,
    enableOfflineQueue: false,
    redisOptions: options,
    clusterRetryStrategy: pause,
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    slotsRefreshTimeout: limits.connectMs,
    // Certificates name hosts, not addresses.
    ...(place.isEncrypted ? { dnsLookup: (address, found) => found(undefined, address) } : {}),
  });
}

/** For hints, which any server of a cluster passes on: the `attempt` says whose turn it is. Not connected yet, and gone for good when it is cut. */
export function createSubscriber(place: RedisPlace, limits: Limits, attempt: number): Redis {
  return new Redis({
    ...connectionOptions(place, limits),
    ...target(place, attempt),
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    sentinelRetryStrategy: () => null,
  });
}

function connectionOptions({ username, password, isEncrypted }: RedisPlace, limits: Limits) {
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(isEncrypted ? { tls: {}, enableTLSForSentinelMode: true, sentinelTLS: {} } : {}),
    lazyConnect: true,
    connectTimeout: limits.connectMs,
    sentinelCommandTimeout: limits.connectMs,
    // Silence with a request under way: the other side is gone, though nobody said so.
    socketTimeout: limits.requestMs,
    disconnectTimeout: farewellMs,
    keepAlive: 10_000,
    autoResendUnfulfilledCommands: false,
  };
}

function target({ hosts, sentinel }: RedisPlace, attempt = 0) {
  return sentinel === undefined ? hosts[attempt % hosts.length] : { sentinels: [...hosts], name: sentinel };
}

/** Before the `times`-th attempt to connect again, in milliseconds. */
export function pause(times: number): number {
  return Math.min(firstPauseMs * 2 ** (times - 1), longestPauseMs) * (0.75 + Math.random() / 2);
}

/** Ends a client for good; resolves when its connection is gone. */
export async function disconnect(client: Client, clock: Clock): Promise<void> {
  const isConnected = client.status === "ready" || client.status === "connect";
  const ended = new Promise<void>((resolve) => {
    const cancel = clock.after(isConnected ? 2 * farewellMs : 0, resolve);
    client.once("end", () => {
      cancel();
      resolve();
    });
  });
  client.disconnect();
  await ended;
}
