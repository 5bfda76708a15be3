/** Whether a heap grows: a straight line through what was in use after each forced collection. */
import { setTimeout as sleep } from "node:timers/promises";

export interface Sample {
  readonly minute: number;
  readonly bytes: number;
}

/** Needs `node --expose-gc`. */
export async function heapInUse(): Promise<number> {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error("Run this with node --expose-gc");
  for (let n = 0; n < 2; n++) {
    gc();
    await sleep(20);
  }
  return process.memoryUsage().heapUsed;
}

export interface Line {
  /** Bytes at the first sample, and how many more each minute. */
  readonly base: number;
  readonly slope: number;
  /** Standard error of the slope: caches that fill up and are halved make the heap go up and down. */
  readonly error: number;
}

/** By least squares. */
export function lineThrough(samples: readonly Sample[]): Line {
  const meanMinute = mean(samples.map(({ minute }) => minute));
  const meanBytes = mean(samples.map(({ bytes }) => bytes));
  const spread = sum(samples.map(({ minute }) => (minute - meanMinute) ** 2));
  const slope = sum(samples.map(({ minute, bytes }) => (minute - meanMinute) * (bytes - meanBytes))) / spread;
  const at = (minute: number): number => meanBytes + slope * (minute - meanMinute);
  const off = sum(samples.map(({ minute, bytes }) => (bytes - at(minute)) ** 2));
  return { base: at(samples[0]?.minute ?? 0), slope, error: Math.sqrt(off / (samples.length - 2) / spread) };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}
