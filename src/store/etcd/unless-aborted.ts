/** Waiting that a caller can give up, while what it waits for goes on for others. */
import { gaveUp } from "../gave-up.js";

/** @throws StoreError, outcome `none`, when the signal aborts first. */
export function unlessAborted<Value>(work: Promise<Value>, signal: AbortSignal | undefined): Promise<Value> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(gaveUp("the etcd store", signal));
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
