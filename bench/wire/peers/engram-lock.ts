/** Our server on its two stores, as the command line starts it, and our clients. */
import { openSync, writeSync } from "node:fs";
import type { DestinationStream } from "pino";
import { Pool } from "undici";
import { connectLockManager } from "../../../src/client/node.js";
import { systemClock } from "../../../src/clock/system-clock.js";
import { createServerLog } from "../../../src/server/server-log.js";
import { startServer } from "../../../src/server/start-server.js";
import type { Contestant } from "../../contestants/contestant.js";
import { contestantOf, openManager, type StoreName } from "../../contestants/engram-lock.js";
import { ofThisProcess, type WireKind, type WireServer } from "../wire-kind.js";

export const engramMemory = ours("engram-lock, memory", "memory");
/** Every acknowledgement flushed. */
export const engramEmbedded = ours("engram-lock, embedded", "embedded");

export const engramMemoryHttp: WireKind = {
  ...engramMemory,
  name: "engram-lock over HTTP, memory",
  connect: async (url) => openHttp("engram-lock over HTTP, memory", url),
};
export const engramEmbeddedHttp: WireKind = {
  ...engramEmbedded,
  name: "engram-lock over HTTP, embedded",
  connect: async (url) => openHttp("engram-lock over HTTP, embedded", url),
};

function ours(name: string, store: StoreName): WireKind {
  return {
    name,
    serve: () => serve(store),
    async connect(url) {
      const locks = connectLockManager(url);
      return contestantOf(name, { locks, close: () => locks.close() });
    },
  };
}

async function serve(store: StoreName): Promise<WireServer> {
  // Locks that are held for as long as a measurement takes, a hundred and more by each agent.
  const manager = await openManager(store, { defaultTtl: "1h", maxLocksPerAgent: 1_000 });
  const server = await startServer({
    manager: manager.locks,
    clock: systemClock,
    logger: createServerLog("info", nowhere()),
    listen: { host: "127.0.0.1", port: 0 },
  });
  return {
    ...ofThisProcess,
    address: server.url,
    async stop() {
      await server.close();
      await manager.close();
    },
  };
}

/** What the server logs by default, written where it costs the least. */
function nowhere(): DestinationStream {
  const file = openSync("/dev/null", "w");
  return { write: (line) => void writeSync(file, line) };
}

const connections = 64;

/** The two requests that every HTTP client would make, over connections that are kept. The bare HTTP server understands them as well. */
export function openHttp(name: string, url: string): Contestant {
  const pool = new Pool(url, { connections });
  const headers = { "content-type": "application/json" };
  const post = async (path: string, body: object): Promise<string> => {
    const answer = await pool.request({ method: "POST", path, headers, body: JSON.stringify(body) });
    const text = await answer.body.text();
    if (answer.statusCode >= 300) throw new Error(`${path} was answered ${answer.statusCode}: ${text}`);
    return text;
  };
  return {
    name,
    queues: true,
    async hold(path, worker, work) {
      const agent_id = `agent-${worker}`;
      const acquired = await post("/v1/locks", { resource_path: path, agent_id });
      await work();
      const { locks } = JSON.parse(acquired) as { locks: { lock_id: string }[] };
      const lock_id = locks[0]?.lock_id;
      await post("/v1/locks/release", { locks: [{ resource_path: path, lock_id }], agent_id });
    },
    close: () => pool.close(),
  };
}
