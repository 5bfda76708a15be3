/** The requests that wait, counted: each costs a connection for as long as it likes. */
import { type HttpRefusal, shuttingDown, tooManyWaits } from "./http-refusal.js";

/** Ends a wait; the refusal is what its caller is told. */
export type EndWait = (refusal: HttpRefusal) => void;

export class LongWaits {
  readonly #limit: number;
  readonly #waiting = new Set<EndWait>();
  #draining = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get count(): number {
    return this.#waiting.size;
  }

  get draining(): boolean {
    return this.#draining;
  }

  /**
   * Counts one wait in.
   *
   * @returns what counts it out again.
   * @throws HttpRefusal when there are too many, and while draining.
   */
  enter(end: EndWait): () => void {
    if (this.#draining) throw shuttingDown();
    if (this.#waiting.size >= this.#limit) throw tooManyWaits(this.#limit);
    const wait: EndWait = (refusal) => end(refusal);
    this.#waiting.add(wait);
    return () => this.#waiting.delete(wait);
  }

  /** Ends every wait and lets no more in. */
  drain(): void {
    this.#draining = true;
    for (const end of this.#waiting) end(shuttingDown());
  }
}
