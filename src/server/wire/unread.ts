/** What all sessions together keep for their callers to read. Each session has a bound of its own; that of thousands of them would be no bound. */

/** A session's share. */
export class Share {
  readonly #whole: Unread;
  #bytes = 0;

  constructor(whole: Unread) {
    this.#whole = whole;
  }

  get bytes(): number {
    return this.#bytes;
  }

  set(bytes: number): void {
    const more = bytes - this.#bytes;
    this.#bytes = bytes;
    if (more !== 0) this.#whole.add(more);
  }
}

export class Unread {
  readonly #mostBytes: number;
  readonly #onTooMuch: () => void;
  #bytes = 0;

  /** @param onTooMuch is told whenever there is more to be read than there may be, and that it has become more. */
  constructor(mostBytes: number, onTooMuch: () => void) {
    this.#mostBytes = mostBytes;
    this.#onTooMuch = onTooMuch;
  }

  get isTooMuch(): boolean {
    return this.#bytes > this.#mostBytes;
  }

  share(): Share {
    return new Share(this);
  }

  add(bytes: number): void {
    this.#bytes += bytes;
    if (bytes > 0 && this.isTooMuch) this.#onTooMuch();
  }
}
