/** A PostgreSQL server of the benchmarks' own, with the settings it comes with: every commit is flushed. All contestants share it. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { type ScratchFolder, scratchFolder } from "../scratch.js";
import type { Site } from "./contestant.js";

interface Running {
  readonly url: string;
  readonly child: ChildProcess;
  readonly folder: ScratchFolder;
}

let running: Promise<Running> | undefined;
let users = 0;

/** Undefined where PostgreSQL is not installed. Stopped when the last who uses it stops it. */
export async function sharePostgres(): Promise<Site | undefined> {
  const programs = findPrograms();
  if (programs === undefined) return undefined;
  running ??= start(programs);
  users++;
  const { url, child, folder } = await running;
  return {
    url,
    async stop() {
      users--;
      if (users > 0) return;
      running = undefined;
      const ended = once(child, "exit");
      // A fast shutdown: it does not wait for clients to leave.
      child.kill("SIGINT");
      await ended;
      folder.remove();
    },
  };
}

function findPrograms(): string | undefined {
  const debian = "/usr/lib/postgresql";
  const versions = existsSync(debian) ? readdirSync(debian) : [];
  return [
    ...(process.env["PATH"] ?? "").split(":"),
    ...versions.map((version) => join(debian, version, "bin")),
  ].find((folder) => existsSync(join(folder, "initdb")));
}

async function start(programs: string): Promise<Running> {
  const folder = scratchFolder("postgres");
  const data = join(folder.path, "data");
  mkdirSync(data);
  // PostgreSQL refuses to run as root.
  const user = process.getuid?.() === 0 ? { uid: idOf("-u"), gid: idOf("-g") } : {};
  if (user.uid !== undefined) for (const path of [folder.path, data]) chownSync(path, user.uid, user.gid);
  const quiet = { ...user, cwd: folder.path, stdio: "ignore" } as const;
  const options = ["-A", "trust", "-U", "bench", "-E", "UTF8", "--locale=C", "-D", data];
  execFileSync(join(programs, "initdb"), options, quiet);
  // Over a Unix socket, which is what a client on the same machine would use.
  const settings = ["listen_addresses=", `unix_socket_directories=${folder.path}`];
  const child = spawn(
    join(programs, "postgres"),
    ["-D", data, ...settings.flatMap((one) => ["-c", one])],
    quiet,
  );
  const url = `postgres://bench@/postgres?host=${encodeURIComponent(folder.path)}`;
  await untilItAnswers(url, child);
  return { url, child, folder };
}

function idOf(which: "-u" | "-g"): number {
  return Number(execFileSync("id", [which, "postgres"], { encoding: "utf8" }));
}

async function untilItAnswers(url: string, child: ChildProcess): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const client = new Client({ connectionString: url });
    try {
      await client.connect();
      await client.end();
      return;
    } catch (error) {
      if (attempt >= 500 || child.exitCode !== null) throw error;
      await sleep(20);
    }
  }
}
