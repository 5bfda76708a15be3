/** A server's or client's process, as the program that started it sees it. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Order, PartArguments, Reply } from "./part.js";

const startWithinMs = 30_000;
const endWithinMs = 5_000;

export class PartProcess {
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #exited: Promise<unknown>;

  private constructor(part: PartArguments, core: number | undefined) {
    this.#name = `the ${part.role} of "${part.kind}"`;
    const main = fileURLToPath(new URL("../main.js", import.meta.url));
    this.#child = fork(main, ["--wire-part", JSON.stringify(part)], {
      // Some libraries print what they do.
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      ...(core === undefined
        ? { execArgv: ["--expose-gc"] }
        : { execPath: "taskset", execArgv: ["-c", String(core), process.execPath, "--expose-gc"] }),
    });
    this.#exited = once(this.#child, "exit");
  }

  /** @param core the only one to run on. */
  static async start(
    part: PartArguments,
    core: number | undefined,
  ): Promise<{ process: PartProcess; started: unknown }> {
    const process = new PartProcess(part, core);
    try {
      return { process, started: await process.#said(startWithinMs) };
    } catch (error) {
      await process.end();
      throw error;
    }
  }

  /** One at a time. */
  ask(order: Order, withinMs: number): Promise<unknown> {
    const said = this.#said(withinMs);
    this.#child.send(order);
    return said;
  }

  async #said(withinMs: number): Promise<unknown> {
    const over = new AbortController();
    const { signal } = over;
    try {
      const [reply] = (await Promise.race([
        once(this.#child, "message", { signal }),
        this.#exited.then(() => {
          throw new Error(`${this.#name} ended early`);
        }),
        sleep(withinMs, undefined, { signal }).then(() => {
          throw new Error(`${this.#name} said nothing for ${withinMs} ms`);
        }),
      ])) as [Reply];
      if ("failure" in reply) throw new Error(`${this.#name} failed: ${reply.failure}`);
      return reply.answer;
    } finally {
      over.abort();
    }
  }

  /** Lets it end by itself, for a while. */
  async end(): Promise<void> {
    const { exitCode, signalCode } = this.#child;
    if (exitCode !== null || signalCode !== null) return;
    if (this.#child.connected) this.#child.disconnect();
    const late = setTimeout(() => this.#child.kill("SIGKILL"), endWithinMs);
    await this.#exited;
    clearTimeout(late);
  }
}
