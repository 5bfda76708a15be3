/** Looks, whose answers may be long: a few at a time are made, and no more is told of what they saw than the caller reads. */

const mostAtOnce = 8;

/** What is told is JSON. */
interface Look {
  readonly make: () => Promise<string>;
  readonly refuse: (error: unknown) => string;
}

export interface LooksParts {
  /** Enough waits to be read by the caller. */
  readonly isCrowded: () => boolean;
  readonly answer: (answer: string) => void;
}

export class Looks {
  readonly #parts: LooksParts;
  #waiting: Look[] = [];
  #answers: string[] = [];
  /** Begun, and their answers not told. */
  #open = 0;

  constructor(parts: LooksParts) {
    this.#parts = parts;
  }

  add(look: Look): void {
    this.#waiting.push(look);
    this.goOn();
  }

  /** The caller may have read something, so that there is room. */
  goOn(): void {
    const { isCrowded, answer } = this.#parts;
    while (this.#answers.length > 0 && !isCrowded()) {
      this.#open--;
      answer(this.#answers.shift() ?? "");
    }
    while (this.#open < mostAtOnce) {
      const look = this.#waiting.shift();
      if (look === undefined) return;
      this.#open++;
      look.make().then(this.#made, (error: unknown) => this.#made(look.refuse(error)));
    }
  }

  /** Nobody is left to be told. */
  clear(): void {
    this.#waiting = [];
    this.#answers = [];
  }

  readonly #made = (answer: string): void => {
    this.#answers.push(answer);
    this.goOn();
  };
}
