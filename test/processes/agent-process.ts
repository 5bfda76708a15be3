/** A real process with the built library (`agent.mjs`), and what it prints. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";

/** Found through the package, because this file also runs compiled, from another place. */
const here = join(
  dirname(createRequire(import.meta.url).resolve("engram-lock/package.json")),
  "test/processes",
);

export type Work = "race" | "mix" | "load" | "wait" | "queue" | "hold";

export interface ProcessOptions {
  /** A module that is loaded first, in the folder of `agent.mjs`. */
  readonly first?: string;
  /** What runs the program instead of Node itself, such as `fiu-run`. */
  readonly runner?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

export interface Agent {
  readonly pid: number;
  /** The next line that was not returned yet, word by word; rejects when the process ends without another. */
  next(): Promise<string[]>;
  /** Hands this line and all that come later to a listener, and none to `next`. */
  hear(listener: (line: string) => void): void;
  tell(line?: string): void;
  signal(name: NodeJS.Signals): void;
  /** Closes its input. */
  finish(): void;
  /** Resolves with the exit code once all that it printed was read; `null` when a signal ended it. */
  readonly ended: Promise<number | null>;
  /** What it wrote to its standard error so far. */
  complaints(): string;
}

export function startProcess(
  url: string,
  work: Work,
  args: readonly unknown[] = [],
  { first, runner = [], environment = {} }: ProcessOptions = {},
): Agent {
  const [command = "", ...rest] = [
    ...runner,
    process.execPath,
    ...(first === undefined ? [] : ["--import", join(here, first)]),
    join(here, "agent.mjs"),
    url,
    work,
    ...args.map(String),
  ];
  return agentOf(spawn(command, rest, { env: { ...process.env, ...environment } }));
}

function agentOf(child: ChildProcessWithoutNullStreams): Agent {
  const output = createInterface({ input: child.stdout });
  const unread: string[] = [];
  let wake = (): void => {};
  let take = (line: string): void => {
    unread.push(line);
    wake();
  };
  output.on("line", (line) => take(line));
  let complaints = "";
  child.stderr.on("data", (text) => {
    complaints += text;
  });
  const ended = Promise.all([once(child, "exit"), once(output, "close")]).then(([[code]]) => {
    isOver = true;
    wake();
    return code;
  });
  let isOver = false;
  return {
    pid: child.pid ?? 0,
    ended,
    complaints: () => complaints,
    next: async () => {
      while (unread.length === 0) {
        if (isOver) throw new Error(`The process ended early. ${complaints}`);
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return (unread.shift() ?? "").split(" ");
    },
    hear: (listener) => {
      take = listener;
      for (const line of unread.splice(0)) listener(line);
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
