/** A process under load: it works between `go` and `pause`, and all it says goes to a ledger. */
import { type Agent, startProcess } from "../agent-process.js";
import type { Ledger } from "./ledger.js";
import type { Doom } from "./points.js";

const hands = 6;
/** Far beyond what anything takes here; a wait that lasts so long is over for good. */
const patienceMs = 30_000;

export class Load {
  readonly agent: Agent;
  /** It had flushed the change during whose flush it was to be killed. */
  hasFlushed = false;
  readonly #ledger: Ledger;
  #count = 0;
  #isReady = false;
  #isPaused = false;
  #isArmed = false;
  #heard = (): void => {};

  constructor(agent: Agent, ledger: Ledger) {
    this.agent = agent;
    this.#ledger = ledger;
    agent.hear((line) => this.#hear(line));
  }

  async ready(): Promise<void> {
    await this.#until("is ready", () => this.#isReady);
  }

  go(round: number): void {
    this.#isPaused = false;
    this.agent.tell(`go ${round}`);
  }

  /** Resolves when none of its calls is on its way. */
  async pause(): Promise<void> {
    this.agent.tell("pause");
    await this.#until("pauses", () => this.#isPaused);
  }

  /** Resolves once it has said so many lines more. */
  async steps(count: number): Promise<void> {
    const enough = this.#count + count;
    await this.#until(`says ${count} lines`, () => this.#count >= enough);
  }

  /** From now on its failpoint counts. */
  async arm(): Promise<void> {
    this.agent.signal("SIGUSR2");
    await this.#until("is armed", () => this.#isArmed);
  }

  /** Resolves when a signal has ended it. */
  async killed(): Promise<void> {
    const code = await inTime("is killed", this.agent.ended);
    if (code !== null)
      throw new Error(`the process ended by itself, with ${code}: ${this.agent.complaints()}`);
  }

  /** Resolves when it has ended by itself, with nothing to complain of. */
  async finished(): Promise<void> {
    const code = await inTime("ends", this.agent.ended);
    if (code !== 0) throw new Error(`the process ended with ${code}: ${this.agent.complaints()}`);
  }

  #hear(line: string): void {
    if (line === "ready") this.#isReady = true;
    else if (line === "paused") this.#isPaused = true;
    else if (line === "armed") this.#isArmed = true;
    else if (line === "flushed") this.hasFlushed = true;
    else {
      this.#count += 1;
      this.#ledger.hear(line);
    }
    this.#heard();
  }

  async #until(what: string, holds: () => boolean): Promise<void> {
    const met = new Promise<void>((resolve) => {
      this.#heard = () => {
        if (holds()) resolve();
      };
    });
    this.#heard();
    const early = this.agent.ended.then((code) => {
      if (!holds()) throw new Error(`the process ended early, with ${code}: ${this.agent.complaints()}`);
    });
    await inTime(what, Promise.race([met, early]));
  }
}

/** Starts a process, which is ready once it has opened the store. With a doom it kills itself. */
export function startLoad(url: string, ledger: Ledger, doom?: Doom): Load {
  const onSignal = doom?.point === "catching-up" || doom?.point === "reading-anew";
  const environment = { FAILPOINT: JSON.stringify({ ...doom, onSignal }) };
  const options = doom === undefined ? {} : { first: "crash/failpoints.mjs", environment };
  return new Load(startProcess(url, "load", [hands], options), ledger);
}

async function inTime<T>(what: string, happens: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within 30 s: a process ${what}`)), patienceMs);
  });
  try {
    return await Promise.race([happens, late]);
  } finally {
    clearTimeout(timer);
  }
}
