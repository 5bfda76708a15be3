/** One call of a command: its settings, its output, and the lock manager while it is open. */

import { LockError } from "../errors.js";
import type { LockManager } from "../lock-manager.js";
import { CommandError } from "./command-error.js";
import { createOutput, type Output } from "./output.js";
import { type CommonFlags, findAgent, findPlace, type Surroundings } from "./settings.js";
import type { Wiring } from "./wiring.js";

export interface CallInput {
  readonly wiring: Wiring;
  readonly flags: CommonFlags;
  readonly around: Surroundings;
  /** What stood before `--`, without the command and its flags. */
  readonly operands: readonly string[];
  /** What stood behind `--`; undefined when there was none. */
  readonly behindDashes: readonly string[] | undefined;
}

export class Call {
  readonly wiring: Wiring;
  readonly flags: CommonFlags;
  readonly around: Surroundings;
  readonly operands: readonly string[];
  readonly behindDashes: readonly string[] | undefined;
  readonly out: Output;
  #manager: LockManager | undefined;

  constructor(input: CallInput) {
    this.wiring = input.wiring;
    this.flags = input.flags;
    this.around = input.around;
    this.operands = input.operands;
    this.behindDashes = input.behindDashes;
    this.out = createOutput(input.flags);
  }

  /** Store time, or this machine's while no store is known. */
  now(): Date {
    return this.#manager?.currentTime() ?? new Date(this.wiring.clock.now());
  }

  get agentId(): string {
    return findAgent(this.flags, this.around).value;
  }

  /** The resource paths given; those behind `--` may begin with a dash. */
  paths(): readonly string[] {
    const paths = [...this.operands, ...(this.behindDashes ?? [])];
    if (paths.length === 0) throw new CommandError("usage", "Which resource? Give at least one path.");
    return paths;
  }

  /** Runs `work` with a manager of the place that was set, and closes it whatever happens; the locks stay. */
  async withManager<T>(agentId: string, work: (manager: LockManager) => Promise<T>): Promise<T> {
    // Whatever is waited for must not end the process: a manager's own timers need not keep it alive.
    const letGo = this.wiring.clock.after(Number.POSITIVE_INFINITY, () => {});
    try {
      return await this.#withOpen(await this.#open(agentId), work);
    } finally {
      letGo();
    }
  }

  async #withOpen<T>(manager: LockManager, work: (manager: LockManager) => Promise<T>): Promise<T> {
    this.#manager = manager;
    try {
      return await work(manager);
    } finally {
      try {
        await manager.close();
      } catch (error) {
        // What was done is done and is durable, so the outcome of the command stands.
        this.out.warn(`could not close the store: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }

  async #open(agentId: string): Promise<LockManager> {
    const place = findPlace(this.flags, this.around);
    if (place.value.url === "memory:") {
      this.out.warn(
        "memory: is a store of this command alone: nobody else sees its locks, and they end with it.",
      );
    }
    try {
      return await this.wiring.openManager(place.value, agentId);
    } catch (error) {
      if (!(error instanceof LockError) || error.code !== "invalid") throw error;
      throw new CommandError(
        "bad_configuration",
        error.message,
        [`Correct the place of the locks, "${place.value.url}" (${place.origin}).`],
        { cause: error },
      );
    }
  }
}
