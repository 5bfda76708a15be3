/** Waiting that a caller can give up, while what it waits for goes on for others. */
import { StoreError } from "../store.js";

/** @throws StoreError, outcome `none`, when the signal aborts first. */
export function unlessAborted<Value>(work: Promise<Value>, signal: AbortSignal | undefined): Promise<Value> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(gaveUp(signal));
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

export function gaveUp({ reason }: AbortSignal): StoreError {
  return new StoreError("Gave up on the etcd store: the signal is aborted.", {
    outcome: "none",
    retryable: true,
    cause: reason,
  });
}
