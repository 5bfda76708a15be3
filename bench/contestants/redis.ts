/**
 * The usual lock on Redis: SET NX PX with a value of one's own, and a script that deletes the key only if it still has that value. On a
 * server of our own on this machine, over a Unix socket.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { scratchFolder } from "../scratch.js";
import type { Contestant, ContestantKind } from "./contestant.js";

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

async function openRedis(name: string, settings: readonly string[]): Promise<Contestant | undefined> {
  if (!isOnPath(program)) return undefined;
  const folder = scratchFolder("redis");
  const socket = join(folder.path, "redis.sock");
  const server = spawn(
    program,
    ["--port", "0", "--unixsocket", socket, "--dir", folder.path, "--save", "", ...settings],
    { stdio: "ignore" },
  );
  const end = async (): Promise<void> => {
    await endProcess(server);
    folder.remove();
  };
  try {
    const client = await connect(socket, server);
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
        await end();
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
}

async function connect(socket: string, server: ChildProcess): Promise<Redis> {
  for (let attempt = 0; ; attempt++) {
    // Without automatic pipelining, which costs a lone worker half its rate and gains the others nothing.
    const client = new Redis(socket, { lazyConnect: true, retryStrategy: () => null });
    // Each failed attempt also emits an error event, which would end the process.
    client.on("error", () => {});
    try {
      await client.connect();
      return client;
    } catch (error) {
      client.disconnect();
      if (attempt >= 100 || server.exitCode !== null) throw error;
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
