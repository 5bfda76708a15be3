/** Chance that can be repeated: dice that are thrown one after the other, and dice that only depend on when they are thrown. */
import { seededRandom } from "../support/seeded-random.js";

export class Dice {
  /** Between 0 and 1. */
  readonly next: () => number;

  constructor(seed: number) {
    this.next = seededRandom(seed);
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  between(least: number, most: number): number {
    return least + this.next() * (most - least);
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }

  happens(chance: number): boolean {
    return this.next() < chance;
  }
}

/** Numbers mixed into one of 32 bits (the finaliser of MurmurHash3, by Austin Appleby, public domain). */
export function mix(...numbers: readonly number[]): number {
  let state = 0x9e3779b9;
  for (const number of numbers) {
    state = Math.imul(state ^ (number >>> 0), 0x85ebca6b);
    state = Math.imul(state ^ Math.floor(number / 2 ** 32), 0xc2b2ae35);
    state ^= state >>> 15;
  }
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  return (state ^ (state >>> 13)) >>> 0;
}

/**
 * Faults depend on the seed, the process and the moment, not on how many there were before: an action that is left out of a run then changes
 * nothing about the faults at other times, and a run can be shrunk.
 */
export class MomentaryDice {
  /** Names the latest throw. */
  latest = "";
  private readonly seed: number;
  private readonly now: () => number;
  /** Throws that bring no fault. */
  private readonly spared: ReadonlySet<string>;
  private moment = -1;
  private throws = 0;

  constructor(seed: number, now: () => number, spared: ReadonlySet<string>) {
    this.seed = seed;
    this.now = now;
    this.spared = spared;
  }

  readonly next = (): number => {
    const moment = Math.round(this.now() * 1000);
    this.throws = moment === this.moment ? this.throws + 1 : 0;
    this.moment = moment;
    const name = `${this.seed}.${moment}.${this.throws}`;
    if (this.spared.has(name)) return 1 - 2 ** -32;
    this.latest = name;
    return mix(this.seed, moment, this.throws) / 2 ** 32;
  };
}
