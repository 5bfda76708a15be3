/** Who wants the hints of a store within this process. */
import type { Subscription } from "./store.js";

export type Listener = (paths: readonly string[]) => void;

export class Listeners {
  /** One object for each subscription, so that a function that subscribes twice is called twice. */
  readonly #subscribed = new Set<{ readonly listener: Listener }>();

  get any(): boolean {
    return this.#subscribed.size > 0;
  }

  add(listener: Listener): Subscription {
    const subscribed = { listener };
    this.#subscribed.add(subscribed);
    return {
      close: async () => {
        this.#subscribed.delete(subscribed);
      },
    };
  }

  /** Calls everybody who is still subscribed by then, once what runs now has ended. */
  tell(paths: readonly string[]): void {
    if (paths.length > 0 && this.any) queueMicrotask(() => this.#call(paths));
  }

  clear(): void {
    this.#subscribed.clear();
  }

  #call(paths: readonly string[]): void {
    for (const { listener } of this.#subscribed) {
      try {
        listener(paths);
      } catch {
        // A hint that its receiver cannot use is a lost hint, and hints may be lost; the others still get theirs.
      }
    }
  }
}
