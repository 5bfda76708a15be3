/**
 * One listener per `AbortSignal`, however many calls were given it: ten thousand listeners on one signal would be a leak in the making. What only behaves
 * like a signal belongs to one call, and is listened to as it is.
 */

/** An `AbortSignal`, or what behaves like one: making a real one costs more than a whole acquire. */
export interface CallSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: "abort", listener: () => void, options?: { readonly once?: boolean }): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

interface Listening {
  readonly callbacks: Set<() => void>;
  readonly onAbort: () => void;
}

export class Aborts {
  readonly #listening = new WeakMap<CallSignal, Listening>();

  /** Calls back once when the signal aborts. The signal must not be aborted yet. */
  add(signal: CallSignal, callback: () => void): void {
    if (!(signal instanceof AbortSignal)) {
      signal.addEventListener("abort", callback, { once: true });
      return;
    }
    const known = this.#listening.get(signal);
    if (known !== undefined) {
      known.callbacks.add(callback);
      return;
    }
    const callbacks = new Set([callback]);
    const onAbort = (): void => {
      this.#listening.delete(signal);
      for (const each of callbacks) each();
    };
    this.#listening.set(signal, { callbacks, onAbort });
    signal.addEventListener("abort", onAbort, { once: true });
  }

  remove(signal: CallSignal, callback: () => void): void {
    if (!(signal instanceof AbortSignal)) {
      signal.removeEventListener("abort", callback);
      return;
    }
    const known = this.#listening.get(signal);
    if (known === undefined) return;
    known.callbacks.delete(callback);
    if (known.callbacks.size > 0) return;
    this.#listening.delete(signal);
    signal.removeEventListener("abort", known.onAbort);
  }
}
