/** Work that no request awaits, and that is not forgotten either. */

export class Background {
  readonly #running = new Set<Promise<void>>();

  /** Lets `task` go on by itself; what it throws goes to `report`. */
  run(task: () => Promise<unknown>, report: (error: unknown) => void): void {
    const running: Promise<void> = task().then(
      () => {
        this.#running.delete(running);
      },
      (error: unknown) => {
        this.#running.delete(running);
        report(error);
      },
    );
    this.#running.add(running);
  }

  /** Resolves when everything that runs now has ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#running);
  }
}
