/** A database server of the tests' own: a program of this machine, on a free port of 127.0.0.1, its data in a scratch folder. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { TestContext } from "vitest";
import { freePort } from "../support/free-port.js";

export interface TestServer {
  /** As `openStore` takes it. */
  readonly url: string;
  readonly port: number;
  /** Where its data is. */
  readonly folder: string;
  /** Ends it with SIGKILL, as a crash would. */
  kill(): Promise<void>;
  /** Starts it anew after `kill`, on the same port and with the data that is left. */
  restart(): Promise<void>;
  /** SIGSTOP: it keeps its connections, and answers nothing. */
  pause(): void;
  resume(): void;
  /** Ends it, and takes its data away. Idempotent. */
  stop(): Promise<void>;
}

export interface Program {
  /** For the name of its folder, and for messages. */
  readonly name: string;
  readonly command: string;
  readonly arguments: (place: Place) => readonly string[];
  readonly url: (port: number) => string;
  /** Asks it something; rejects while it does not answer. */
  readonly ask: (port: number) => Promise<void>;
  /** Whom it runs as, when it refuses to be root. */
  readonly user?: { readonly uid: number; readonly gid: number };
  /** What it needs in its folder before its first start. */
  readonly prepare?: (place: Place) => Promise<void>;
}

export interface Place {
  readonly folder: string;
  readonly port: number;
}

const startWithinMs = 20_000;

export async function startServer(program: Program): Promise<TestServer> {
  const folder = await mkdtemp(join(tmpdir(), `engram-lock-${program.name}-`));
  if (program.user !== undefined) chownSync(folder, program.user.uid, program.user.gid);
  const place = { folder, port: await freePort() };
  await program.prepare?.(place);
  let child = await start(program, place);

  const end = async (signal: "SIGKILL"): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
  };
  return {
    url: program.url(place.port),
    port: place.port,
    folder,
    kill: () => end("SIGKILL"),
    async restart() {
      child = await start(program, place);
    },
    pause: () => void child.kill("SIGSTOP"),
    resume: () => void child.kill("SIGCONT"),
    async stop() {
      await end("SIGKILL");
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function start(program: Program, place: Place): Promise<ChildProcess> {
  const child = spawn(program.command, program.arguments(place), {
    ...program.user,
    cwd: place.folder,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said = `${said}${chunk.toString()}`.slice(-2_000);
  });
  const deadline = performance.now() + startWithinMs;
  for (;;) {
    try {
      await program.ask(place.port);
      return child;
    } catch (error) {
      const hasEnded = child.exitCode !== null || child.signalCode !== null;
      if (hasEnded || performance.now() > deadline) {
        child.kill("SIGKILL");
        throw new Error(`${program.name} did not start: ${said}`, { cause: error });
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** Where a program is: in a folder of PATH, or in one of these; `undefined` when it is not installed. */
export function findProgram(name: string, folders: readonly string[] = []): string | undefined {
  return [...(process.env["PATH"] ?? "").split(delimiter), ...folders]
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path));
}

/**
 * Skips the test, in words, when a server is not installed. Not in CI, where that is a failure.
 */
export function need<Found>(
  found: Found | undefined,
  debianPackage: string,
  skip: TestContext["skip"],
): Found {
  if (found !== undefined) return found;
  const reason = `Not installed (Debian: ${debianPackage}).`;
  if (process.env["CI"] !== undefined) throw new Error(reason);
  return skip(reason);
}
