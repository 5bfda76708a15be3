/** Store time, one for all processes of the machine: the machine's monotonic clock plus an offset kept in the database. */
import { readFileSync } from "node:fs";
import type { Clock } from "../../clock/clock.js";
import type { StoreTime } from "../store.js";

/** A fraction of the margin with which a holder is told of a loss. */
const closeEnoughMs = 0.1;
const mostTries = 1_000;

/** Where store time stands on the monotonic clock of one boot of the machine. */
export interface Anchor {
  /** Empty where the system does not tell. */
  readonly boot: string;
  readonly offset: number;
}

export function isAnchor(note: unknown): note is Anchor {
  return (
    typeof note === "object" &&
    note !== null &&
    "boot" in note &&
    typeof note.boot === "string" &&
    "offset" in note &&
    typeof note.offset === "number" &&
    Number.isFinite(note.offset)
  );
}

export class MachineClock {
  readonly #clock: Clock;
  /** From this process's monotonic clock to the machine's, which counts for all processes from the same origin. */
  readonly #toMachine: number;
  readonly boot: string;

  constructor(clock: Clock, boot: string = bootId(), machineNow: () => number = sinceBoot) {
    this.#clock = clock;
    this.#toMachine = difference(machineNow, () => clock.monotonic());
    this.boot = boot;
  }

  /** Milliseconds on the machine's monotonic clock. It starts over when the machine does. */
  now(): number {
    return this.#toMachine + this.#clock.monotonic();
  }

  /**
   * Whether an anchor was made in this boot of the machine. Where the system tells nothing of its boots, it was, unless
   * the monotonic clock is behind where it stood at the last row: store time then counts on from there, never back.
   */
  keeps(anchor: Anchor, lastStoreTime: StoreTime): boolean {
    if (this.boot !== "" || anchor.boot !== "") return this.boot === anchor.boot;
    return anchor.offset + this.now() >= lastStoreTime;
  }

  /** For a new boot: store time goes on at the wall clock, or where it stood if the wall clock is behind that. */
  anchorAfter(lastStoreTime: StoreTime): Anchor {
    return { boot: this.boot, offset: Math.max(this.#clock.now(), lastStoreTime) - this.now() };
  }
}

/** Milliseconds on the clock that Node's high-resolution time reads: `CLOCK_MONOTONIC`, the same for all processes. */
function sinceBoot(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/**
 * What the one clock is ahead of the other. A process may lose the processor between two looks, and would then go by another time than the others for
 * as long as it lives: so the one clock is read between two looks at the other, again and again until these are close together.
 */
function difference(one: () => number, other: () => number): number {
  let ahead = 0;
  let closest = Infinity;
  for (let tries = 0; tries < mostTries && closest > closeEnoughMs; tries++) {
    const before = other();
    const between = one();
    const after = other();
    if (after - before >= closest) continue;
    closest = after - before;
    ahead = between - (before + after) / 2;
  }
  return ahead;
}

/** Linux: a random id made at each boot. Source: random(4), `/proc/sys/kernel/random/boot_id`. */
function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    // Another system: `keeps` does without.
    return "";
  }
}
