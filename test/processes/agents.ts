/** Real processes with the built library, for the tests of several processes on one store. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

const program = fileURLToPath(new URL("agent.mjs", import.meta.url));

/** A folder for a store, as its URL and as a path; it goes with the test. */
export async function scratch(): Promise<{ readonly url: string; readonly directory: string }> {
  const directory = await mkdtemp(join(tmpdir(), "engram-lock-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return { url: `file:${join(directory, "store")}`, directory };
}

export interface Agent {
  readonly pid: number;
  /** Everything it printed so far. */
  readonly lines: readonly string[];
  /** The next line that was not returned yet, word by word; rejects when the process ends without another. */
  next(): Promise<string[]>;
  tell(line?: string): void;
  signal(name: NodeJS.Signals): void;
  /** Closes its input. */
  finish(): void;
  /** Resolves with the exit code once all that it printed was read; `null` when a signal ended it. */
  readonly ended: Promise<number | null>;
}

export type Work = "race" | "load" | "wait" | "queue" | "hold";

/** Starts a process and waits until it is ready. It is killed with the test, if it is still there. */
export async function startAgent(url: string, work: Work, ...args: readonly unknown[]): Promise<Agent> {
  const child = spawn(process.execPath, [program, url, work, ...args.map(String)]);
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  const agent = agentOf(child);
  await agent.next();
  return agent;
}

function agentOf(child: ChildProcessWithoutNullStreams): Agent {
  const lines: string[] = [];
  const output = createInterface({ input: child.stdout });
  output.on("line", (line) => lines.push(line));
  let complaints = "";
  child.stderr.on("data", (text) => {
    complaints += text;
  });
  const ended = Promise.all([once(child, "exit"), once(output, "close")]).then(([[code]]) => code);
  let returned = 0;
  return {
    pid: child.pid ?? 0,
    lines,
    ended,
    next: async () => {
      const place = returned++;
      while (lines.length <= place) {
        const isOver = await Promise.race([once(output, "line").then(() => false), ended.then(() => true)]);
        if (isOver && lines.length <= place) throw new Error(`The process ended early. ${complaints}`);
      }
      return (lines[place] ?? "").split(" ");
    },
    tell: (line = "") => {
      child.stdin.write(`${line}\n`);
    },
    signal: (name) => {
      child.kill(name);
    },
    finish: () => {
      child.stdin.end();
    },
  };
}
