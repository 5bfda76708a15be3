/** Compares the held locks that somebody watches with the store: when a hint names their path, and now and then in case a hint was lost. */
import { lockKey } from "../core/keys.js";
import type { HeldLock, HeldLocks } from "./held-locks.js";
import type { Hint } from "./hint.js";
import type { Read } from "./reader.js";
import type { Services } from "./services.js";

const everyMs = 5_000;
const pageSize = 500;

export class Revalidation {
  readonly #services: Services;
  readonly #held: HeldLocks;
  readonly #read: Read;
  #cancel: () => void = () => undefined;
  #closed = false;

  constructor(services: Services, held: HeldLocks, read: Read) {
    this.#services = services;
    this.#held = held;
    this.#read = read;
  }

  start(): void {
    if (this.#closed) return;
    const { clock, background } = this.#services;
    this.#cancel = clock.after(
      everyMs,
      () => {
        const watched = [...this.#held.all()].filter((held) => held.isWatched);
        background(this.#compare(watched).then(() => this.start()));
      },
      { background: true },
    );
  }

  /** What was granted by that change, or later, is not what it ended. */
  hinted(hints: readonly Hint[], revision: number): void {
    const held = hints
      .flatMap(({ path }) => [...this.#held.at(path)])
      .filter(({ token }) => revision === 0 || token < revision);
    if (held.length > 0) this.#services.background(this.#compare(held));
  }

  close(): void {
    this.#closed = true;
    this.#cancel();
  }

  async #compare(held: readonly HeldLock[]): Promise<void> {
    for (let i = 0; i < held.length && !this.#closed; i += pageSize) {
      const page = held.slice(i, i + pageSize);
      const before = page.map((one) => one.holder);
      try {
        const { entries, storeTime } = await this.#read({ keys: page.map((one) => lockKey(one.path)) });
        for (const [index, one] of page.entries()) {
          // An extension that came meanwhile knows better.
          if (one.holder === before[index]) this.#held.compare(one, entries[index], storeTime);
        }
      } catch {
        // A store that cannot be read proves nothing; the expiry is watched in any case.
        return;
      }
    }
  }
}
