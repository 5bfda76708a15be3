/** What a caller is told who gave up before anything was sent. */
import { StoreError } from "./store.js";

/** `store`: how messages call it, such as "the memory store". */
export function gaveUp(store: string, { reason }: AbortSignal): StoreError {
  return new StoreError(`Gave up on ${store}: the signal is aborted.`, {
    outcome: "none",
    retryable: true,
    cause: reason,
  });
}
