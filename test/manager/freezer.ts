/** A process that is stopped (SIGSTOP, a long garbage collection) and goes on later: nothing reaches it meanwhile, then everything does. */
import type { Clock } from "../../src/clock/clock.js";
import type { Store } from "../../src/store/store.js";

export class Freezer {
  readonly clock: Clock;
  readonly store: Store;
  #frozen = false;
  #held: (() => void)[] = [];

  constructor(clock: Clock, store: Store) {
    this.clock = {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      nextTurn: (run) => clock.nextTurn(() => this.#whenAwake(run)),
      after: (delayMs, run, options) => {
        let cancelled = false;
        const cancel = clock.after(delayMs, () => this.#whenAwake(() => !cancelled && run()), options);
        return () => {
          cancelled = true;
          cancel();
        };
      },
    };
    this.store = {
      traits: store.traits,
      commit: (changes) => this.#answer(store.commit(changes)),
      read: (query) => this.#answer(store.read(query)),
      subscribe: (listener) => store.subscribe((...hint) => this.#whenAwake(() => listener(...hint))),
      close: () => store.close(),
    };
  }

  freeze(): void {
    this.#frozen = true;
  }

  thaw(): void {
    this.#frozen = false;
    for (const run of this.#held.splice(0)) run();
  }

  #whenAwake(run: () => void): void {
    if (this.#frozen) this.#held.push(run);
    else run();
  }

  #answer<T>(call: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      call.then(
        (value) => this.#whenAwake(() => resolve(value)),
        (error: unknown) => this.#whenAwake(() => reject(error)),
      );
    });
  }
}
