/** What is on the heap when all that can be cleared away has been. */
import { setTimeout as sleep } from "node:timers/promises";

/** Bytes, after two full collections. Needs `--expose-gc`. */
export async function settledHeap(): Promise<number> {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error("Cannot measure the heap without --expose-gc");
  for (let n = 0; n < 2; n++) {
    await sleep(100);
    gc();
  }
  return process.memoryUsage().heapUsed;
}
