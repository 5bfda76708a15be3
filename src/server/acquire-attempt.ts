/** One acquire, on behalf of the request that made it and of those that repeat it. */
import { LockError } from "../errors.js";
import type { AcquiredLock } from "../lock-manager.js";
import { Cancellation } from "./cancellation.js";
import { HttpRefusal } from "./http-refusal.js";

export interface AttemptParts {
  readonly acquire: (cancellation: Cancellation) => Promise<readonly AcquiredLock[]>;
  /** Called when everybody who asked has gone without an answer; to be followed by giving back what may have been acquired. */
  readonly onForsaken: (attempt: AcquireAttempt) => void;
}

export class AcquireAttempt {
  /** Rejects with what the callers are to be told. */
  readonly locks: Promise<readonly AcquiredLock[]>;
  readonly #onForsaken: (attempt: AcquireAttempt) => void;
  readonly #cancellation = new Cancellation();
  #listening = 0;
  #delivered = false;

  constructor({ acquire, onForsaken }: AttemptParts) {
    this.#onForsaken = onForsaken;
    this.locks = this.#run(acquire);
    // Also when nobody is left to hear it.
    this.locks.catch(() => this.#listening);
  }

  async #run(acquire: AttemptParts["acquire"]): Promise<readonly AcquiredLock[]> {
    try {
      return await acquire(this.#cancellation);
    } catch (error) {
      const why = this.#cancellation.reason;
      if (error instanceof LockError && error.code === "aborted" && why instanceof HttpRefusal) throw why;
      throw error;
    }
  }

  /** Leaves the queue, if it has not left it with the locks. */
  abort(refusal: HttpRefusal): void {
    this.#cancellation.abort(refusal);
  }

  /** One more request waits for the outcome. @returns what is to be called once, with whether it was told of the locks. */
  join(): (told: boolean) => void {
    this.#listening++;
    return (told) => {
      this.#listening--;
      this.#delivered ||= told;
      if (this.#listening > 0 || this.#delivered) return;
      this.#cancellation.abort(new LockError("aborted", "The caller hung up."));
      this.#onForsaken(this);
    };
  }
}
