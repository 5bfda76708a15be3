/** The command that `run` runs: a child with the terminal of its parent, in a process group of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { exitCodeOfSignal } from "../command-error.js";
import { exitCodes } from "../exit-codes.js";

export interface CommandLine {
  readonly file: string;
  readonly args: readonly string[];
}

export interface Ending {
  /** The child's own; 128 + n when signal n ended it. */
  readonly exitCode: number;
  readonly signal: NodeJS.Signals | undefined;
}

export interface Child {
  /** Also the id of its process group. */
  readonly pid: number;
  /** Never rejects. */
  readonly ended: Promise<Ending>;
}

/** The command could not be started. */
export class CannotStart extends Error {
  override readonly name = "CannotStart";
  /** 127 when there is no such command, 126 when it cannot be executed; as shells have it. */
  readonly exitCode: number;

  constructor(file: string, cause: unknown) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    const why =
      code === "ENOENT" ? "no such command" : code === "EACCES" ? "it is not executable" : String(cause);
    super(`Cannot start "${file}": ${why}.`, { cause });
    this.exitCode = code === "ENOENT" ? exitCodes.notFound : exitCodes.notExecutable;
  }
}

/**
 * `detached` makes it the leader of a new session, hence of a new group: signals reach everything it starts, and Ctrl-C reaches it
 * only through `run`. The price: it has no controlling terminal, so it cannot open `/dev/tty`.
 *
 * @throws CannotStart
 */
export async function startChild(
  { file, args }: CommandLine,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Child> {
  let child: ChildProcess;
  try {
    child = spawn(file, [...args], { stdio: "inherit", detached: true, env: { ...env } });
  } catch (error) {
    throw new CannotStart(file, error);
  }
  const ended = new Promise<Ending>((resolve) => {
    child.once("exit", (code, signal) => {
      const exitCode = code ?? (signal === null ? exitCodes.bug : exitCodeOfSignal(signal));
      resolve({ exitCode, signal: signal ?? undefined });
    });
  });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (error) => reject(new CannotStart(file, error)));
  });
  const { pid } = child;
  if (pid === undefined) throw new CannotStart(file, new Error("it has no process id"));
  return { pid, ended };
}
