/** The built server, as a process, over a store in a scratch folder. */
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { startServer, type TestServer } from "./server.js";

const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

export interface LockServer extends TestServer {
  /** Of the store, for whoever wants to know the true state. */
  readonly storeUrl: string;
}

/** Stopped with the test. */
export async function startLockServer(): Promise<LockServer> {
  const server = await startServer({
    name: "server",
    command: process.execPath,
    arguments: ({ folder, port }) => [
      main,
      "serve",
      "--listen",
      `127.0.0.1:${port}`,
      "--store",
      storeUrl(folder),
      "--log-level",
      "error",
    ],
    url: (port) => `http://127.0.0.1:${port}`,
    async ask(port) {
      const { ok } = await fetch(`http://127.0.0.1:${port}/readyz`);
      if (!ok) throw new Error("It is not ready.");
    },
  });
  onTestFinished(() => server.stop());
  return { ...server, storeUrl: storeUrl(server.folder) };
}

function storeUrl(folder: string): string {
  return `file:${folder}/locks`;
}
