/** Looks, whose answers may be long: a few at a time are made, and no faster than the caller reads what they answer. */

const mostAtOnce = 8;

interface Waiting {
  readonly begin: () => void;
  readonly refuse: (error: Error) => void;
}

export class Looks {
  readonly #isCrowded: () => boolean;
  #waiting: Waiting[] = [];
  #running = 0;

  /** @param isCrowded enough waits to be read by the caller. */
  constructor(isCrowded: () => boolean) {
    this.#isCrowded = isCrowded;
  }

  /** @throws whatever `look` does, and what `refuseAll` says. */
  async make<T>(look: () => Promise<T>): Promise<T> {
    if (this.#isFull()) await new Promise<void>((begin, refuse) => this.#waiting.push({ begin, refuse }));
    else this.#running++;
    try {
      return await look();
    } finally {
      this.#running--;
      this.goOn();
    }
  }

  /** The caller may have read something, so that there is room. */
  goOn(): void {
    while (this.#waiting.length > 0 && !this.#isFull()) {
      this.#running++;
      this.#waiting.shift()?.begin();
    }
  }

  /** Those that have not begun. */
  refuseAll(error: Error): void {
    for (const { refuse } of this.#waiting) refuse(error);
    this.#waiting = [];
  }

  #isFull(): boolean {
    return this.#running >= mostAtOnce || this.#isCrowded();
  }
}
