/**
 * The usual lock on Redis: SET NX PX with a value of one's own, and a script that deletes the key only if it still has that value. On a
 * server of our own on this machine, over a Unix socket; and our own manager on such a server.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { createLockManager } from "../../src/create-lock-manager.js";
import { scratchFolder } from "../scratch.js";
import type { Contestant, ContestantKind } from "./contestant.js";
import { contestantOf } from "./engram-lock.js";

const program = "redis-server";
const why = `no ${program} on the PATH`;

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

const ttlMs = "60000";
const releaseScript = `if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("del", KEYS[1]) else return 0 end`;

/** Our own manager, and the usual lock beside it, both over TCP as among several machines; each on a server of its own, alike in all. */
export const redisStore: readonly ContestantKind[] = [
  {
    name: "redis store",
    why,
    open: async () => {
      const server = startRedis([]);
      if (server === undefined) return undefined;
      return closingOnFailure(server, async () => {
        (await connect(server)).disconnect();
        const locks = await createLockManager({}, `redis://127.0.0.1:${server.port}`);
        const close = async (): Promise<void> => {
          await locks.close();
          await server.stop();
        };
        return contestantOf("redis store", { locks, close });
      });
    },
  },
  { name: "SET NX PX", why, open: () => openRedis("SET NX PX", [], "tcp") },
];

async function openRedis(
  name: string,
  settings: readonly string[],
  over: "socket" | "tcp" = "socket",
): Promise<Contestant | undefined> {
  const server = startRedis(settings);
  if (server === undefined) return undefined;
  return closingOnFailure(server, async () => {
    const client = await connect(server, over);
    const sha = await client.script("LOAD", releaseScript);
    return {
      name,
      queues: false,
      async hold(path, _worker, work) {
        const value = randomUUID();
        if ((await client.set(path, value, "PX", ttlMs, "NX")) === null) throw new Error(`${path} is taken`);
        await work();
        await client.evalsha(String(sha), 1, path, value);
      },
      async close() {
        client.disconnect();
        await server.stop();
      },
    };
  });
}

interface RedisServer {
  readonly child: ChildProcess;
  readonly socket: string;
  readonly port: number;
  stop(): Promise<void>;
}

let nextPort = 16_379;

/** `undefined` when it is not installed. */
function startRedis(settings: readonly string[]): RedisServer | undefined {
  if (!isOnPath(program)) return undefined;
  const folder = scratchFolder("redis");
  const socket = join(folder.path, "redis.sock");
  const port = nextPort++;
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

async function closingOnFailure<Result>(server: RedisServer, open: () => Promise<Result>): Promise<Result> {
  try {
    return await open();
  } catch (error) {
    await server.stop();
    throw error;
  }
}

async function connect(server: RedisServer, over: "socket" | "tcp" = "socket"): Promise<Redis> {
  const options = { lazyConnect: true, retryStrategy: () => null };
  for (let attempt = 0; ; attempt++) {
    // Without automatic pipelining, which costs a lone worker half its rate and gains the others nothing.
    const client = over === "tcp" ? new Redis(server.port, options) : new Redis(server.socket, options);
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

function isOnPath(program: string): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
