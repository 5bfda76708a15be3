/** What goes on without its caller, such as giving back a lock that nobody waits for any more. */
import type { Clock } from "../clock/clock.js";

export class FollowUps {
  readonly #clock: Clock;
  readonly #running = new Set<Promise<void>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Its failure changes nothing for anybody: what it was to give back ends with its ttl. */
  add(task: Promise<unknown>): void {
    const forget = (): void => {
      this.#running.delete(done);
    };
    const done: Promise<void> = task.then(forget, forget);
    this.#running.add(done);
  }

  /** Resolves when nothing runs any more, or after `timeoutMs`. */
  async settled(timeoutMs: number): Promise<void> {
    let cancel = (): void => {};
    const timeUp = new Promise<void>((resolve) => {
      cancel = this.#clock.after(timeoutMs, resolve);
    });
    await Promise.race([this.#ended(), timeUp]);
    cancel();
  }

  /** With what was added by others of them. */
  async #ended(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}
