/** Who wants the hints of a store within this process. */
import type { HintListener, Subscription } from "./store.js";

export class Listeners {
  /** One object for each subscription, so that a function that subscribes twice is called twice. */
  readonly #subscribed = new Set<{ readonly listener: HintListener }>();

  get any(): boolean {
    return this.#subscribed.size > 0;
  }

  add(listener: HintListener): Subscription {
    const subscribed = { listener };
    this.#subscribed.add(subscribed);
    return {
      close: async () => {
        this.#subscribed.delete(subscribed);
      },
    };
  }

  /** Calls everybody who is still subscribed by then, once what runs now has ended. */
  tell(texts: readonly string[], revision: number): void {
    if (texts.length > 0 && this.any) queueMicrotask(() => this.#call(texts, revision));
  }

  clear(): void {
    this.#subscribed.clear();
  }

  #call(texts: readonly string[], revision: number): void {
    for (const { listener } of this.#subscribed) {
      try {
        listener(texts, revision);
      } catch {
        // A hint that its receiver cannot use is a lost hint, and hints may be lost; the others still get theirs.
      }
    }
  }
}
