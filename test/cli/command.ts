// Runs the built command as a person or a script would: in a folder of its own, with nothing of this machine's settings.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { createLockManager } from "../../src/create-lock-manager.js";
import type { AcquireOptions, Lock, LockManager } from "../../src/lock-manager.js";

/** The command, built. */
export const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

export interface Result {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface PrintedLock {
  readonly lock_id: string;
  readonly resource_path: string;
  readonly agent_id: string;
  readonly fencing_token: number;
  readonly expires_in_ms: number;
}

/** What the commands print as JSON, as far as tests look into it by name: each prints some of it. */
export interface Printed {
  readonly locks: PrintedLock[];
  readonly holders: PrintedLock[];
  readonly theirs: { readonly resource_path: string }[];
  readonly free: string[];
  readonly held: boolean;
  readonly fencing_token: number;
  readonly waited_ms: number;
  readonly error: { readonly waited_ms: number; readonly conflicts: { readonly expires_in_ms: number }[] };
}

export interface Options {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** What is run, when it is not the command. */
  readonly script?: string;
  /** All of stdin; or `open`, for `writeLine`. */
  readonly input?: string | { readonly open: true };
}

/** A folder with a project in it, a home, and the processes started there. */
export class Desk {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), "engram-lock-cli-")));
  readonly project = join(this.folder, "project");
  readonly home = join(this.folder, "home");
  readonly #running = new Set<Running>();
  /** Set once a server runs here: then every command goes to it. */
  #url: string | undefined;
  readonly #servers: Running[] = [];
  #manager: Promise<LockManager> | undefined;

  constructor() {
    mkdirSync(join(this.project, ".engram-lock"), { recursive: true });
    mkdirSync(this.home);
  }

  start(args: readonly string[], options: Options = {}): Running {
    const place = this.#url === undefined ? {} : { ENGRAM_LOCK_URL: this.#url };
    const running = new Running(args, this, { ...options, env: { ...place, ...options.env } });
    this.#running.add(running);
    return running;
  }

  run(args: readonly string[], options: Options = {}): Promise<Result> {
    return this.start(args, options).ended;
  }

  /** What the command printed on stdout, as JSON; it must have printed nothing else. */
  async json(args: readonly string[], options: Options = {}): Promise<Printed> {
    const { stdout } = await this.run([...args, "--json"], options);
    return JSON.parse(stdout);
  }

  /** The project's locks as another process sees them: this one. */
  manager(): Promise<LockManager> {
    this.#manager ??= createLockManager({}, `file:${join(this.project, ".engram-lock/locks")}`);
    return this.#manager;
  }

  /** Somebody else takes locks, for ten minutes. */
  async hold(agentId: string, paths: readonly string[], options: AcquireOptions = {}): Promise<Lock[]> {
    return (await this.manager()).acquireMultipleLocks(paths, agentId, { ttl: "10m", ...options });
  }

  /** What is locked, by path, and who holds it. */
  async locked(): Promise<Record<string, string>> {
    const { locks } = await (await this.manager()).listLocks();
    return Object.fromEntries(locks.map((lock) => [lock.resourcePath, lock.agentId]));
  }

  /** An operator ends the locks on the path. */
  async force(path: string): Promise<void> {
    await (await this.manager()).forceRelease(path, { reason: "an operator says so", by: "op" });
  }

  /** Starts a server on a free port, and answers its address. */
  async serve(): Promise<string> {
    const server = this.start(["serve", "--listen", "127.0.0.1:0", "--log-level", "warn"]);
    const [, url] = await server.says(/address +(http:\S+)/);
    this.#servers.push(server);
    this.#url = url;
    return url!;
  }

  /** As a crash would. */
  async stopServers(): Promise<void> {
    for (const server of this.#servers) server.kill("SIGKILL");
    await Promise.all(this.#servers.map((server) => server.ended));
  }

  /** Ends what still runs; a test that left something behind does not disturb the next. */
  async clear(): Promise<void> {
    await (await this.#manager)?.close();
    for (const running of this.#running) running.killTree();
    await Promise.all([...this.#running].map((running) => running.ended));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export class Running {
  readonly ended: Promise<Result>;
  readonly #process: ChildProcess;
  readonly #waiting = new Set<() => void>();
  #output = { stdout: "", stderr: "" };
  #over = false;

  constructor(args: readonly string[], desk: Desk, options: Options) {
    this.#process = spawn(process.execPath, [options.script ?? main, ...args], {
      cwd: options.cwd ?? desk.project,
      env: { PATH: process.env["PATH"], HOME: desk.home, ...options.env },
      stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
    });
    if (typeof options.input === "string") this.#process.stdin?.end(options.input);
    for (const name of ["stdout", "stderr"] as const) {
      this.#process[name]?.setEncoding("utf8").on("data", (text: string) => {
        this.#output[name] += text;
        this.#look();
      });
    }
    this.ended = new Promise((resolve, reject) => {
      this.#process.once("error", reject);
      this.#process.once("close", (code, signal) => {
        this.#over = true;
        this.#look();
        resolve({ code, signal, ...this.#output });
      });
    });
  }

  get pid(): number {
    return this.#process.pid!;
  }

  /** Resolves with the match as soon as the output has one. */
  async says(pattern: RegExp, where: "stdout" | "stderr" = "stdout"): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.#output[where]);
      if (match !== null) return match;
      if (this.#over) throw new Error(`It ended without saying ${pattern}: ${JSON.stringify(this.#output)}`);
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** As `head` does once it has enough. */
  closeStdout(): void {
    this.#process.stdout?.destroy();
  }

  /** What `run` runs has a process group of its own, and would outlive it. */
  killTree(): void {
    if (this.#over) return;
    const { stdout } = spawnSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" });
    for (const line of stdout.split("\n")) {
      const [pid, parent] = line.trim().split(/\s+/).map(Number);
      if (parent !== this.pid) continue;
      for (const target of [-pid!, pid!]) {
        try {
          process.kill(target, "SIGKILL");
        } catch {
          // It leads no group, or has ended by itself.
        }
      }
    }
    this.kill("SIGKILL");
  }

  writeLine(text: string): void {
    this.#process.stdin?.write(`${text}\n`);
  }

  #look(): void {
    for (const look of this.#waiting) look();
    this.#waiting.clear();
  }
}

/** Whether a process is there and has not ended. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    if (process.platform !== "linux") return true;
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat[stat.lastIndexOf(")") + 2] !== "Z";
  } catch {
    return false;
  }
}
