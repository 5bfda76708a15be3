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
    arguments: ({ folder, port }) => [
      ...["--port", `${port}`, "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no"],
      ...settings,
    ],
    url: (port) => `redis://127.0.0.1:${port}`,
    ask: (port) => askRedis(port, (server) => server.ping()).then(() => undefined),
  });
}

/** The server that `ENGRAM_LOCK_TEST_REDIS_URL` names, or one of our own: for tests that only use it. */
export async function findRedis(command: string): Promise<Pick<TestServer, "url" | "stop">> {
  const url = process.env["ENGRAM_LOCK_TEST_REDIS_URL"];
  return url === undefined ? startRedis(command) : { url, stop: async () => undefined };
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
