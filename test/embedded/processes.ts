/** Real processes for the tests of the embedded store. */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { onTestFinished } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const program = fileURLToPath(new URL("child.mjs", import.meta.url));
/** One for each of vitest's workers, which otherwise would write the same files at the same time. */
const built = join(root, ".cache", `embedded-store-${process.env["VITEST_POOL_ID"] ?? "0"}`);

/** Compiles the embedded store for the children. To be called before the first of them. */
export function compileStore(): void {
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const project = join(root, "test/embedded/tsconfig.json");
  const { status, stdout } = spawnSync(process.execPath, [tsc, "-p", project, "--outDir", built], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`The embedded store does not compile:\n${stdout}`);
}

/** A folder that goes with the test. */
export async function scratch(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "engram-lock-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

export interface Child {
  readonly process: ChildProcessWithoutNullStreams;
  /** What it printed so far. */
  readonly lines: string[];
  /** The next line that was not returned yet; rejects when the process ends without another. */
  nextLine(): Promise<string>;
  tell(line: string): void;
  /** Resolves with the exit code once all that it printed was read; `null` when a signal ended it. */
  readonly ended: Promise<number | null>;
}

export type Work = "show" | "count" | "commit" | "look" | "listen" | "knock" | "idle" | "obey";

/** What a child prints that is only a thread of this process. */
export async function runThread(directory: string, work: Work): Promise<string[]> {
  const argv = [join(built, "store/embedded/embedded-store.js"), directory, work];
  const thread = new Worker(program, { argv, stdout: true });
  const lines: string[] = [];
  for await (const line of createInterface({ input: thread.stdout })) lines.push(line);
  return lines;
}

export function startChild(
  directory: string,
  work: Work,
  options: { count?: number; uid?: number; node?: string[]; runner?: readonly string[] } = {},
): Child {
  const module = join(built, "store/embedded/embedded-store.js");
  const args = [...(options.node ?? []), program, module, directory, work, String(options.count ?? 0)];
  const [command = "", ...rest] = [...(options.runner ?? []), process.execPath, ...args];
  const child = spawn(command, rest, { uid: options.uid });
  const lines: string[] = [];
  const output = createInterface({ input: child.stdout });
  output.on("line", (line) => lines.push(line));
  let complaints = "";
  child.stderr.on("data", (text) => {
    complaints += text;
  });
  const ended = Promise.all([once(child, "exit"), once(output, "close")]).then(([[code]]) => {
    if (code === 1) console.error(complaints);
    return code;
  });
  let returned = 0;
  return {
    process: child,
    lines,
    ended,
    nextLine: async () => {
      const place = returned;
      returned += 1;
      while (lines.length <= place) {
        const closed = Symbol("closed");
        const first = await Promise.race([once(output, "line"), ended.then(() => closed)]);
        if (first === closed && lines.length <= place)
          throw new Error(`The process ended without a further line. ${complaints}`);
      }
      return lines[place] ?? "";
    },
    tell: (line) => {
      child.stdin.write(`${line}\n`);
    },
  };
}

/** Runs a child to its end and returns what it printed. */
export async function runChild(
  directory: string,
  work: Work,
  options: { uid?: number; runner?: readonly string[] } = {},
): Promise<string[]> {
  const child = startChild(directory, work, options);
  await child.ended;
  return child.lines;
}
