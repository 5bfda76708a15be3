/** Redis servers of the tests' own. */
import { randomUUID } from "node:crypto";
import { Redis } from "ioredis";
import type { TestContext } from "vitest";
import { findProgram, need, startServer, type TestServer } from "./server.js";

/** Where the server's program is; `undefined` when it is not installed. */
export const redisProgram = findProgram("redis-server");

/** Skips the test when Redis is not installed. */
export function needRedis(skip: TestContext["skip"]): string {
  return need(redisProgram, "redis-server", skip);
}

/** Nothing is written to disk, unless the settings say so. */
export function startRedis(command: string, settings: readonly string[] = []): Promise<TestServer> {
  return startServer({
    name: "redis",
    command,
    arguments: ({ folder, port }) =>
      [
        ["--port", `${port}`, "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no"],
        // A replica need not wait for others that might want the same.
        ["--repl-diskless-sync-delay", "0"],
        settings,
      ].flat(),
    url: (port) => `redis://127.0.0.1:${port}`,
    ask: (port) => askRedis(port, (server) => server.ping()).then(() => undefined),
  });
}

/** The URL of a server to use instead of one of our own, in tests that only use it. */
export const givenRedis = process.env["ENGRAM_LOCK_TEST_REDIS_URL"];

/** `undefined` when none is given and Redis is not installed. */
export async function findRedis(): Promise<Pick<TestServer, "url" | "stop"> | undefined> {
  if (givenRedis !== undefined) return { url: givenRedis, stop: async () => undefined };
  return redisProgram === undefined ? undefined : startRedis(redisProgram);
}

/** The URL of a lock space that nobody else uses. */
export function ownNamespace(url: string): string {
  return `${url}${url.includes("?") ? "&" : "?"}namespace=${randomUUID()}`;
}

/** Over a connection of its own. */
export async function askRedis<Answer>(
  port: number,
  ask: (server: Redis) => Promise<Answer>,
): Promise<Answer> {
  const server = new Redis(port, "127.0.0.1", {
    lazyConnect: true,
    retryStrategy: () => null,
    connectTimeout: 1_000,
    disconnectTimeout: 100,
  });
  // What goes wrong also rejects the call.
  server.on("error", () => undefined);
  try {
    await server.connect();
    return await ask(server);
  } finally {
    server.disconnect();
  }
}
