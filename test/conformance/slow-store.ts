/** The fault layer with faults that change nothing: what it wraps must still keep the contract, so that a simulation tests what is real. */
import { systemClock } from "../../src/clock/system-clock.js";
import type { Store } from "../../src/store/store.js";
import { FaultyStore } from "../support/faulty-store.js";
import { seededRandom } from "../support/seeded-random.js";

/** Every call takes a while, and every fifth hint comes twice. */
export class SlowStore extends FaultyStore {
  private readonly slowed: Store;

  constructor(inner: Store) {
    super(inner, { clock: systemClock, random: seededRandom(1) });
    this.slowed = inner;
    this.chance({ latencyMs: 2, hintRepeated: 0.2 });
  }

  override close(): Promise<void> {
    return this.slowed.close();
  }
}
