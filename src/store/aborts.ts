/** One listener per abort signal, however many calls were given it: ten thousand listeners on one signal would be a leak in the making. */

export class Aborts {
  readonly #callbacks = new WeakMap<AbortSignal, Set<() => void>>();

  /** Calls back once when the signal aborts. The signal must not be aborted yet. */
  add(signal: AbortSignal, callback: () => void): void {
    const callbacks = this.#callbacks.get(signal);
    if (callbacks === undefined) {
      this.#callbacks.set(signal, new Set([callback]));
      signal.addEventListener("abort", this.#onAbort, { once: true });
    } else {
      callbacks.add(callback);
    }
  }

  remove(signal: AbortSignal, callback: () => void): void {
    const callbacks = this.#callbacks.get(signal);
    if (callbacks === undefined) return;
    callbacks.delete(callback);
    if (callbacks.size > 0) return;
    this.#callbacks.delete(signal);
    signal.removeEventListener("abort", this.#onAbort);
  }

  readonly #onAbort = (event: Event): void => {
    const signal = event.target;
    if (!(signal instanceof AbortSignal)) return;
    const callbacks = this.#callbacks.get(signal);
    this.#callbacks.delete(signal);
    for (const callback of callbacks ?? []) callback();
  };
}
