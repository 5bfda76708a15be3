/**
 * The usual lock on Redis: SET NX PX with a value of one's own, and a script that deletes the key only if it still has that value. On a
 * server of our own on this machine, over a Unix socket; and our own manager on such a server.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { Mutex } from "redis-semaphore";
import Redlock from "redlock";
import { freePort } from "../../test/support/free-port.js";
import { isOnPath } from "../on-path.js";
import { scratchFolder } from "../scratch.js";
import {
  type Contestant,
  type ContestantKind,
  onSite,
  type Site,
  type SiteKind,
  type Work,
} from "./contestant.js";
import { managerAt } from "./engram-lock.js";

const program = "redis-server";
/** What is missing where none of this can run. */
export const why = `no ${program} on the PATH`;

export const redis: ContestantKind = {
  name: "Redis",
  why,
  open: () => openRedis("Redis", ["--appendonly", "no"]),
};

/** Every acknowledgement flushed, as the embedded store does. */
export const redisFsync: ContestantKind = {
  name: "Redis, fsync",
  why,
  open: () => openRedis("Redis, fsync", ["--appendonly", "yes", "--appendfsync", "always"]),
};

export const ttlMs = "60000";
const releaseScript = `if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("del", KEYS[1]) else return 0 end`;

/** Our own manager, and the usual locks beside it, all over TCP as among several machines; each on a server of its own, alike in all. */
export const redisStore: readonly SiteKind[] = [
  onSite({ name: "redis store", why, start: startPlainSite, at: (url) => managerAt("redis store", url) }),
  onSite({
    name: "SET NX PX",
    why,
    start: startPlainSite,
    at: async (url) => setIfAbsent("SET NX PX", await connected(url)),
  }),
  onSite({ name: "redis-semaphore", why, start: startPlainSite, at: openRedisSemaphore }),
  onSite({ name: "redlock", why, start: startPlainSite, at: openRedlock }),
];

async function openRedis(name: string, settings: readonly string[]): Promise<Contestant | undefined> {
  const server = await startRedis(settings);
  if (server === undefined) return undefined;
  try {
    const contestant = await setIfAbsent(name, await connect(server));
    const close = async (): Promise<void> => {
      await contestant.close();
      await server.stop();
    };
    return { ...contestant, close };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** @param pause before it asks again for what is taken; without it a taken path is an error. */
export async function setIfAbsent(
  name: string,
  client: Redis,
  pause?: () => Promise<void>,
): Promise<Contestant> {
  const sha = await client.script("LOAD", releaseScript);
  return {
    name,
    queues: false,
    asksAgain: pause !== undefined,
    async hold(path, _worker, work) {
      const value = randomUUID();
      while ((await client.set(path, value, "PX", ttlMs, "NX")) === null) {
        if (pause === undefined) throw new Error(`${path} is taken`);
        await pause();
      }
      await work();
      await client.evalsha(String(sha), 1, path, value);
    },
    close: async () => client.disconnect(),
  };
}

/** https://github.com/swarthy/redis-semaphore: asks again every 10 ms, and extends by a timer. */
export async function openRedisSemaphore(url: string): Promise<Contestant> {
  const client = await connected(url);
  return {
    name: "redis-semaphore",
    queues: false,
    asksAgain: true,
    async hold(path, _worker, work) {
      const mutex = new Mutex(client, path, { lockTimeout: Number(ttlMs), acquireTimeout: Number(ttlMs) });
      await mutex.acquire();
      await work();
      await mutex.release();
    },
    close: async () => client.disconnect(),
  };
}

/** https://github.com/mike-marcacci/node-redlock: asks again every 200 ms and a bit, 10 times by default; here until it has the lock. */
export async function openRedlock(url: string): Promise<Contestant> {
  const client = await connected(url);
  const redlock = new Redlock([client], { retryCount: -1 });
  const holdAll = async (paths: readonly string[], _worker: number, work: Work): Promise<void> => {
    const lock = await redlock.acquire(paths, Number(ttlMs));
    await work();
    await lock.release();
  };
  return {
    name: "redlock",
    queues: false,
    asksAgain: true,
    hold: (path, worker, work) => holdAll([path], worker, work),
    holdAll,
    close: async () => client.disconnect(),
  };
}

function startPlainSite(): Promise<Site | undefined> {
  return startSite();
}

/** A server by its address over TCP. `undefined` when it is not installed. */
export async function startSite(settings: readonly string[] = []): Promise<Site | undefined> {
  const server = await startRedis(settings);
  if (server === undefined) return undefined;
  (await connect(server)).disconnect();
  return { url: `redis://127.0.0.1:${server.port}`, stop: () => server.stop() };
}

export async function connected(url: string): Promise<Redis> {
  const client = new Redis(url, { lazyConnect: true });
  await client.connect();
  return client;
}

interface RedisServer {
  readonly child: ChildProcess;
  readonly socket: string;
  readonly port: number;
  stop(): Promise<void>;
}

/** `undefined` when it is not installed. */
async function startRedis(settings: readonly string[]): Promise<RedisServer | undefined> {
  if (!isOnPath(program)) return undefined;
  const folder = scratchFolder("redis");
  const socket = join(folder.path, "redis.sock");
  const port = await freePort();
  const place = ["--bind", "127.0.0.1", "--port", `${port}`, "--unixsocket", socket, "--dir", folder.path];
  const child = spawn(program, [...place, "--save", "", ...settings], { stdio: "ignore" });
  return {
    child,
    socket,
    port,
    async stop() {
      await endProcess(child);
      folder.remove();
    },
  };
}

async function connect(server: RedisServer): Promise<Redis> {
  const options = { lazyConnect: true, retryStrategy: () => null };
  for (let attempt = 0; ; attempt++) {
    // Without automatic pipelining, which costs a lone worker half its rate and gains the others nothing.
    const client = new Redis(server.socket, options);
    // Each failed attempt also emits an error event, which would end the process.
    client.on("error", () => {});
    try {
      await client.connect();
      return client;
    } catch (error) {
      client.disconnect();
      if (attempt >= 100 || server.child.exitCode !== null) throw error;
      await sleep(20);
    }
  }
}

async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill();
  await exited;
}
