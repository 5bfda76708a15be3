/** How a call is called off. Not an `AbortController`, which with one listener costs more than the whole call. */
import type { CallSignal } from "../lock-manager.js";

export class Cancellation implements CallSignal {
  aborted = false;
  reason: unknown = undefined;
  #listener: (() => void) | undefined = undefined;

  /** Of the lock manager, which has one for each signal. */
  addEventListener(_type: "abort", listener: () => void): void {
    this.#listener = listener;
  }

  removeEventListener(): void {
    this.#listener = undefined;
  }

  abort(reason: unknown): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    this.#listener?.();
  }
}
