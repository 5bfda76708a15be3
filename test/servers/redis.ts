/** A Redis server of the tests' own. */
import { Redis } from "ioredis";
import { type Program, startServer, type TestServer } from "./server.js";
import { findProgram } from "./server.js";

export const redisPackage = "redis-server";

/** Where the server's program is; `undefined` when it is not installed. */
export function redisProgram(): string | undefined {
  return findProgram("redis-server");
}

/** Nothing is written to disk, unless the settings say so. */
export async function startRedis(command: string, settings: readonly string[] = []): Promise<TestServer> {
  return startServer(programOf(command, settings));
}

export function programOf(command: string, settings: readonly string[]): Program {
  return {
    name: "redis",
    command,
    arguments: ({ folder, port }) => [
      ...["--port", `${port}`, "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no"],
      ...settings,
    ],
    url: (port) => `redis://127.0.0.1:${port}`,
    ask: async (port) => {
      await askRedis(port, (server) => server.ping());
    },
  };
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
