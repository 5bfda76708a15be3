/** What a simulation is made of, for whoever acts in it, and the words for what is done there. */
import { Words } from "../scenarios/words.js";
import type { Fleet } from "./fleet.js";
import type { Oracle } from "./oracle.js";
import type { SimulatedProcess } from "./process.js";
import type { WorldClock } from "./process-clock.js";
import type { Trace } from "./trace.js";
import type { VirtualTime } from "./virtual-time.js";

export interface Stage {
  readonly fleet: Fleet;
  readonly oracle: Oracle;
  readonly time: VirtualTime;
  readonly world: WorldClock;
  readonly trace: Trace | undefined;
}

/** Writes commands and answers into the trace, if there is one. */
export class Narrator {
  readonly words: Words;
  private readonly trace: Trace | undefined;

  constructor({ oracle, trace }: Stage) {
    this.words = new Words(() => oracle.storeTime);
    this.trace = trace;
  }

  get isHeard(): boolean {
    return this.trace !== undefined;
  }

  command(process: SimulatedProcess, text: string): void {
    this.trace?.note("command", `manager ${process.name}: ${text}`);
  }

  answer(text: () => string): void {
    if (this.trace !== undefined) this.trace.note("answer", text());
  }

  hear<T>(process: SimulatedProcess, work: Promise<T>, tell: (value: T) => string): void {
    work.then(
      (value) => {
        if (process.isDead) return;
        const text = tell(value);
        this.answer(() => text);
      },
      (error: unknown) => this.answer(() => this.words.error(error)),
    );
  }
}
