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

/** Bytes per minute, by least squares. */
export function slopeOf(samples: readonly Sample[]): number {
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const minute = mean(samples.map((sample) => sample.minute));
  const bytes = mean(samples.map((sample) => sample.bytes));
  let both = 0;
  let square = 0;
  for (const sample of samples) {
    both += (sample.minute - minute) * (sample.bytes - bytes);
    square += (sample.minute - minute) ** 2;
  }
  return square === 0 ? 0 : both / square;
}
