/** The requests that wait, counted: each costs a connection for as long as it likes. */
import { type HttpRefusal, shuttingDown } from "./http-refusal.js";

/** Ends a wait; the refusal is what its caller is told. */
export type EndWait = (refusal: HttpRefusal) => void;

export class LongWaits {
  readonly #limit: number;
  readonly #tooMany: (limit: number) => HttpRefusal;
  readonly #waiting = new Set<EndWait>();
  #draining = false;

  constructor(limit: number, tooMany: (limit: number) => HttpRefusal) {
    this.#limit = limit;
    this.#tooMany = tooMany;
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
    if (this.#waiting.size >= this.#limit) throw this.#tooMany(this.#limit);
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
