/** A file to which everything is appended and flushed before it is acknowledged; whatever comes while a flush runs shares the next one. */
import { closeSync, fdatasync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { scratchFolder } from "../../scratch.js";

export class Journal {
  readonly #folder = scratchFolder("journal");
  readonly #file = openSync(join(this.#folder.path, "journal"), "a");
  #lines: string[] = [];
  #acknowledge: (() => void)[] = [];
  #isFlushing = false;
  #onIdle: (() => void) | undefined = undefined;

  /** Calls back once the line is on the disk. */
  append(line: string, flushed: () => void): void {
    this.#lines.push(line);
    this.#acknowledge.push(flushed);
    if (!this.#isFlushing) this.#flush();
  }

  #flush(): void {
    this.#isFlushing = true;
    writeSync(this.#file, `${this.#lines.join("\n")}\n`);
    const done = this.#acknowledge;
    this.#lines = [];
    this.#acknowledge = [];
    fdatasync(this.#file, (error) => {
      if (error !== null) throw error;
      for (const flushed of done) flushed();
      if (this.#lines.length > 0) {
        this.#flush();
        return;
      }
      this.#isFlushing = false;
      this.#onIdle?.();
    });
  }

  async close(): Promise<void> {
    if (this.#isFlushing)
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    closeSync(this.#file);
    this.#folder.remove();
  }
}
