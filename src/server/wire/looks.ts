/** Looks, whose answers may be long: a few at a time are made, and no more is told of what they saw than the caller reads. */

const mostAtOnce = 8;

/** Resolves with the answer, JSON. Never rejects. */
type Look = () => Promise<string>;

interface Waiting {
  readonly look: Look;
  readonly bytes: number;
}

export interface LooksParts {
  /** Enough waits to be read by the caller. */
  readonly isCrowded: () => boolean;
  readonly answer: (answer: string) => void;
  /** An answer was made, and told unless it has to wait. */
  readonly onMade: () => void;
}

export class Looks {
  readonly #parts: LooksParts;
  #waiting: Waiting[] = [];
  #answers: string[] = [];
  /** Begun, and their answers not told. */
  #open = 0;
  #keptBytes = 0;

  constructor(parts: LooksParts) {
    this.#parts = parts;
  }

  /** Of answers that were not told yet, and of calls that wait until they are. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** @param message what was asked, kept as long as it has to wait. */
  make(look: Look, message: object): void {
    const bytes = this.#open < mostAtOnce ? 0 : JSON.stringify(message).length;
    this.#waiting.push({ look, bytes });
    this.#keptBytes += bytes;
    this.goOn();
  }

  /** The caller may have read something, so that there is room. */
  goOn(): void {
    const { isCrowded, answer } = this.#parts;
    while (this.#answers.length > 0 && !isCrowded()) {
      this.#open--;
      const next = this.#answers.shift() ?? "";
      this.#keptBytes -= next.length;
      answer(next);
    }
    while (this.#open < mostAtOnce) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#open++;
      this.#keptBytes -= next.bytes;
      // oxlint-disable-next-line typescript/no-floating-promises -- It never rejects.
      next.look().then(this.#made);
    }
  }

  /** Nobody is left to be told. */
  clear(): void {
    this.#waiting = [];
    this.#answers = [];
    this.#keptBytes = 0;
  }

  readonly #made = (answer: string): void => {
    this.#answers.push(answer);
    this.#keptBytes += answer.length;
    this.goOn();
    this.#parts.onMade();
  };
}
