/** Locks granted to calls whose callers have gone: they are given back, unless another call of their agent has them or may be about to be told of them. */
import type { Lock } from "../lock-manager.js";

export interface UnwantedParts {
  /** Somebody here has it in hand. */
  readonly isHeld: (lock: Lock) => boolean;
  /** Another acquire of the same agent for the same path has no answer yet. It may have got this very lock. */
  readonly isAskedFor: (lock: Lock) => boolean;
  readonly release: (lock: Lock) => void;
}

export class Unwanted {
  readonly #parts: UnwantedParts;
  readonly #locks = new Set<Lock>();

  constructor(parts: UnwantedParts) {
    this.#parts = parts;
  }

  add(lock: Lock): void {
    this.#locks.add(lock);
    this.look();
  }

  /** An acquire has been answered, so that some may be given back by now. */
  look(): void {
    const { isHeld, isAskedFor, release } = this.#parts;
    for (const lock of this.#locks) {
      if (!isHeld(lock) && isAskedFor(lock)) continue;
      this.#locks.delete(lock);
      if (!isHeld(lock)) release(lock);
    }
  }
}
