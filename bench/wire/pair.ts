/** A server and one client of it, in two processes. */
import type { Settings } from "../workloads/workload.js";
import type { Started } from "./part.js";
import { PartProcess } from "./part-process.js";
import type { Report, Task } from "./tasks.js";
import type { WireKind } from "./wire-kind.js";

/** What a client did, and what its server had to do for it. */
export interface PairReport extends Report {
  readonly serverCpuSeconds: number;
}

/** Beyond the time that a task is given. */
const patienceMs = 120_000;

export class Pair {
  readonly name: string;
  readonly #server: PartProcess;
  readonly #client: PartProcess;

  private constructor(name: string, server: PartProcess, client: PartProcess) {
    this.name = name;
    this.#server = server;
    this.#client = client;
  }

  /** Undefined, and said so, where it cannot run. */
  static async open({ name }: WireKind, core: number | undefined): Promise<Pair | undefined> {
    const { process: server, started } = await PartProcess.start({ role: "server", kind: name }, core);
    try {
      const answer = started as Started;
      if ("missing" in answer) {
        console.log(`${name} is left out: ${answer.missing}.`);
        await server.end();
        return undefined;
      }
      const { address } = answer;
      const { process: client } = await PartProcess.start({ role: "client", kind: name, address }, core);
      return new Pair(name, server, client);
    } catch (error) {
      await server.end();
      throw error;
    }
  }

  async run(task: Task): Promise<PairReport> {
    const withinMs = ("seconds" in task ? task.seconds * 1_000 : 0) + patienceMs;
    const before = await this.#server.ask("cpu", patienceMs);
    const report = (await this.#client.ask(task, withinMs)) as Report;
    const after = await this.#server.ask("cpu", patienceMs);
    return { ...report, serverCpuSeconds: (Number(after) - Number(before)) / 1e6 };
  }

  /** That the server uses. */
  async bytes(): Promise<number> {
    return Number(await this.#server.ask("bytes", patienceMs));
  }

  async close(): Promise<void> {
    await this.#client.end();
    await this.#server.end();
  }
}

/** Starts those that can run here, and ends them whatever happens. */
export async function withPairs<Result>(
  { without }: Pick<Settings, "without">,
  kinds: readonly WireKind[],
  core: number | undefined,
  use: (pairs: readonly Pair[]) => Promise<Result>,
): Promise<Result> {
  const open: Pair[] = [];
  try {
    for (const kind of kinds) {
      if (without.includes(kind.name)) continue;
      const pair = await Pair.open(kind, core);
      if (pair !== undefined) open.push(pair);
    }
    return await use(open);
  } finally {
    await Promise.all(open.map((pair) => pair.close()));
  }
}
