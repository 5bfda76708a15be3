/** Tells other processes that the log has new rows: a file that is written to, and that they watch. */
import { closeSync, constants, type FSWatcher, openSync, watch, writeSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../clock/clock.js";

const hintFile = "hint";
/** A watcher is woken at most so often by one process, however many commits there are. */
const restMs = 2;

export class HintFile {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #file: number;
  #watcher: FSWatcher | undefined;
  #resting = false;
  #again = false;
  #closed = false;

  constructor(directory: string, clock: Clock) {
    this.#path = join(directory, hintFile);
    this.#clock = clock;
    this.#file = openSync(this.#path, constants.O_RDWR | constants.O_CREAT);
  }

  ring(): void {
    if (this.#resting) {
      this.#again = true;
      return;
    }
    this.#resting = true;
    this.#write();
    this.#clock.after(restMs, () => this.#rested(), { background: true });
  }

  /** Calls back soon after another process rang, and now and then for nothing. Where files cannot be watched, never. */
  listen(heard: () => void): void {
    if (this.#watcher !== undefined) return;
    try {
      this.#watcher = watch(this.#path, { persistent: false }, heard);
      this.#watcher.on("error", () => this.deafen());
    } catch {
      // Hints may be lost: without a watcher all of them are, and whoever waits polls.
    }
  }

  deafen(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  close(): void {
    if (this.#again) this.#write();
    this.#closed = true;
    this.deafen();
    closeSync(this.#file);
  }

  #rested(): void {
    this.#resting = false;
    if (!this.#again || this.#closed) return;
    this.#again = false;
    this.ring();
  }

  #write(): void {
    try {
      writeSync(this.#file, "x", 0);
    } catch {
      // A lost hint.
    }
  }
}
