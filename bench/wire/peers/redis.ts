/** Redis over TCP, and the usual ways to make locks of it. None of them queues: whoever finds a lock taken asks again. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import type { Contestant } from "../../contestants/contestant.js";
import {
  connected,
  openRedisSemaphore,
  openRedlock,
  setIfAbsent,
  startSite,
  ttlMs,
  why,
} from "../../contestants/redis.js";
import type { WireKind, WireServer } from "../wire-kind.js";

const plain = "Redis SET NX PX";
const flushed = "Redis SET NX PX, fsync always";

export const redisPlain: WireKind = {
  name: plain,
  why,
  serve: () => serve(["--appendonly", "no"]),
  connect: (url) => openPlain(plain, url),
};
export const redisFlushed: WireKind = {
  name: flushed,
  why,
  serve: () => serve(["--appendonly", "yes", "--appendfsync", "always"]),
  connect: (url) => openPlain(flushed, url),
};
export const redisSemaphore: WireKind = {
  name: "redis-semaphore",
  why,
  serve: redisPlain.serve,
  connect: openRedisSemaphore,
};
export const redlock: WireKind = { name: "redlock", why, serve: redisPlain.serve, connect: openRedlock };

/** All keys or none, with a value of one's own. */
const acquireAll = `
for _, key in ipairs(KEYS) do if redis.call("exists", key) == 1 then return 0 end end
for _, key in ipairs(KEYS) do redis.call("set", key, ARGV[1], "PX", ARGV[2]) end
return 1`;
const releaseAll = `
local released = 0
for _, key in ipairs(KEYS) do
  if redis.call("get", key) == ARGV[1] then released = released + redis.call("del", key) end
end
return released`;

async function openPlain(name: string, url: string): Promise<Contestant> {
  const client = await connected(url);
  const [acquire, release] = await Promise.all([
    client.script("LOAD", acquireAll),
    client.script("LOAD", releaseAll),
  ]);
  return {
    ...(await setIfAbsent(name, client, shortPause)),
    async holdAll(paths, _worker, work) {
      const value = randomUUID();
      while ((await client.evalsha(String(acquire), paths.length, ...paths, value, ttlMs)) !== 1) {
        await shortPause();
      }
      await work();
      await client.evalsha(String(release), paths.length, ...paths, value);
    },
  };
}

/** Asks again sooner than any library does by itself, and not all at one moment. */
function shortPause(): Promise<void> {
  return sleep(1 + Math.random() * 2);
}

async function serve(settings: readonly string[]): Promise<WireServer | undefined> {
  const site = await startSite(settings);
  if (site === undefined) return undefined;
  const client = await connected(site.url);
  return {
    address: site.url,
    async cpuMicros() {
      const { used_cpu_user, used_cpu_sys } = await info(client, "cpu");
      return (Number(used_cpu_user) + Number(used_cpu_sys)) * 1e6;
    },
    bytes: async () => Number((await info(client, "memory"))["used_memory"]),
    async stop() {
      client.disconnect();
      await site.stop();
    },
  };
}

async function info(client: Redis, section: string): Promise<Record<string, string | undefined>> {
  const lines = (await client.info(section)).split("\r\n");
  return Object.fromEntries(
    lines
      .filter((line) => line.includes(":"))
      .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]),
  );
}
