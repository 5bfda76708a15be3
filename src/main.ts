#!/usr/bin/env node
// The composition root of the command line: the only file that knows every adapter by name, and loads one when it is needed.

import { readFileSync } from "node:fs";
import process from "node:process";
import { runCommandLine } from "./cli/program.js";
import type { Place, RunningServer, ServeRequest, Wiring } from "./cli/wiring.js";
import { systemClock } from "./clock/system-clock.js";
import type { LockManager } from "./lock-manager.js";

const wiring: Wiring = {
  clock: systemClock,
  version: readVersion(),
  openManager,
  startServer,
};

for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: Error) => {
    // Whoever read it has left, as `head` does; what was done is done.
    if (!("code" in error && error.code === "EPIPE")) throw error;
  });
}
const around = { env: process.env, workingDirectory: process.cwd() };
const exitCode = await runCommandLine(process.argv.slice(2), around, wiring);
// Not `process.exitCode` alone: nothing that still waits for something may keep the command from ending.
process.stdout.write("", () => process.stderr.write("", () => process.exit(exitCode)));

async function openManager(place: Place, agentId: string): Promise<LockManager> {
  if (place.kind === "server") {
    const { connectLockManager } = await import("./client/node.js");
    return connectLockManager(place.url, { agentId });
  }
  const { createLockManager } = await import("./create-lock-manager.js");
  return storeFailuresTold(() => createLockManager({}, place.url));
}

async function startServer({ store: url, listen, socket, logLevel }: ServeRequest): Promise<RunningServer> {
  const [{ openStore }, { createLockManager }, { startServer: start }, { createServerLog }] =
    await Promise.all([
      import("./open-store.js"),
      import("./create-lock-manager.js"),
      import("./server/start-server.js"),
      import("./server/server-log.js"),
    ]);
  const store = await storeFailuresTold(() => openStore(url));
  const closing: (() => Promise<void>)[] = [() => store.close()];
  const stop = async (): Promise<void> => {
    for (const close of closing.splice(0)) await close();
  };
  try {
    const manager = await createLockManager({}, store);
    closing.unshift(() => manager.close());
    const logger = createServerLog(logLevel, process.stderr);
    const server = await start({
      manager,
      clock: systemClock,
      logger,
      listen,
      socket,
      version: wiring.version,
    });
    closing.unshift(() => server.drain());
    const { durable, promise } = store.traits;
    return { url: server.url, durable, promise, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A store that cannot be opened is `store_unavailable`, like one that cannot be used later. */
async function storeFailuresTold<T>(open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (error) {
    const { StoreError } = await import("./store/store.js");
    if (!(error instanceof StoreError)) throw error;
    const { LockError } = await import("./errors.js");
    throw new LockError("store_unavailable", error.message, {}, { cause: error });
  }
}

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  const hasVersion = typeof manifest === "object" && manifest !== null && "version" in manifest;
  return hasVersion && typeof manifest.version === "string" ? manifest.version : "unknown";
}
