/** https://github.com/ORESoftware/live-mutex: a broker in Node, a queue for each key, over TCP or a Unix socket. Locks are in memory. */
import { join } from "node:path";
import { freePort } from "../../../test/support/free-port.js";
import type { Contestant } from "../../contestants/contestant.js";
import { type ScratchFolder, scratchFolder } from "../../scratch.js";
import { ofThisProcess, type WireKind, type WireServer } from "../wire-kind.js";

const ttlMs = 600_000;

export const liveMutexTcp: WireKind = {
  name: "live-mutex, TCP",
  async serve() {
    const port = await allowedPort();
    return serve(String(port), { host: "127.0.0.1", port });
  },
  connect: (port) => open("live-mutex, TCP", { host: "127.0.0.1", port: Number(port) }),
};

export const liveMutexUnix: WireKind = {
  name: "live-mutex, Unix socket",
  async serve() {
    const folder = scratchFolder("live-mutex");
    const udsPath = join(folder.path, "broker.sock");
    return serve(udsPath, { udsPath }, folder);
  },
  connect: (udsPath) => open("live-mutex, Unix socket", { udsPath }),
};

interface Place {
  readonly host?: string;
  readonly port?: number;
  readonly udsPath?: string;
}

async function serve(address: string, place: Place, folder?: ScratchFolder): Promise<WireServer> {
  // Only where it is used, as it changes what happens to failures in this process.
  const { Broker } = await import("live-mutex");
  process.removeAllListeners("uncaughtException");
  const broker = new Broker(place);
  broker.emitter.on("warning", ignore);
  await broker.ensure();
  return {
    ...ofThisProcess,
    address,
    async stop() {
      for (const client of broker.connectedClients) client.destroy();
      await new Promise((resolve) => broker.close(resolve));
      folder?.remove();
    },
  };
}

async function open(name: string, place: Place): Promise<Contestant> {
  const { Client } = await import("live-mutex");
  process.removeAllListeners("uncaughtException");
  const client = new Client({ ...place, ttl: ttlMs, lockRequestTimeout: ttlMs });
  client.emitter.on("warning", ignore);
  await client.ensure();
  return {
    name,
    queues: true,
    async hold(path, _worker, work) {
      const { id } = await client.acquire(path);
      await work();
      await client.release(path, { id });
    },
    close: async () => client.close(),
  };
}

/** It would print them, and does a few things that it warns of. */
function ignore(): void {}

/** It takes no others. */
async function allowedPort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = await freePort();
    if (port < 49_152) return port;
  }
  throw new Error("No port below 49,152 is free");
}
