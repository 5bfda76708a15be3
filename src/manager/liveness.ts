/**
 * Tells the other managers that this one lives, for as long as it has waiters: its entry is good for ten seconds and renewed every three. An entry past
 * its time never revives: others may have stepped over our waiters by then, so the manager takes a new id and they queue again.
 */

import type { Cancel } from "../clock/clock.js";
import { managerKey } from "../core/keys.js";
import { managerAt, type View } from "../core/view.js";
import type { Command } from "./job.js";
import type { Presence, Services } from "./services.js";

const goodForMs = 10_000;
const renewEveryMs = 3_000;

type Renewal = "renewed" | "lapsed";

export class Liveness implements Presence {
  readonly #services: () => Services;
  #managerId: string;
  /** Store time up to which the entry was last written to be good; 0: never written under this id. */
  #goodUntil = 0;
  #cancel: Cancel | undefined;
  #onLapse: () => void = () => undefined;
  #closed = false;

  constructor(firstId: string, services: () => Services) {
    this.#managerId = firstId;
    this.#services = services;
  }

  /** The id to plan under. An entry that may have lapsed while nobody waited is left behind. */
  current(latest: number): string {
    if (this.#goodUntil !== 0 && this.#goodUntil <= latest && this.#services().room.isEmpty) this.#leave();
    return this.#managerId;
  }

  /** Called when the id was given up: all waiters must queue again. */
  set onLapse(callback: () => void) {
    this.#onLapse = callback;
  }

  /** To be called by a plan that queues a waiter: makes sure that the entry is good for a while. */
  enter(view: View): void {
    if (this.#goodUntil - renewEveryMs * 2 > view.latest) return;
    const key = managerKey(view.managerId);
    const entry = managerAt(view, key);
    if (entry !== undefined && entry.expiresAt - renewEveryMs * 2 > view.latest) return;
    view.put(key, { expiresAt: view.latest + goodForMs });
    if (entry !== undefined) view.before(entry.expiresAt);
  }

  /** To be called when a waiter was queued. */
  entered(): void {
    const { storeClock } = this.#services();
    this.#goodUntil = Math.max(this.#goodUntil, storeClock.earliest() + renewEveryMs * 2);
    this.#schedule();
  }

  close(): void {
    this.#closed = true;
    this.#cancel?.();
  }

  #leave(): void {
    this.#managerId = this.#services().newId();
    this.#goodUntil = 0;
  }

  #schedule(): void {
    if (this.#cancel !== undefined || this.#closed) return;
    const { clock, pipeline, room } = this.#services();
    this.#cancel = clock.after(
      renewEveryMs,
      () => {
        this.#cancel = undefined;
        if (!room.isEmpty) pipeline.submit(this.#renewal());
      },
      { background: true },
    );
  }

  #renewal(): Command<Renewal> {
    const id = this.#managerId;
    return {
      plan: (view) => {
        const key = managerKey(id);
        const entry = managerAt(view, key);
        if (entry === undefined || entry.expiresAt <= view.latest) return "lapsed";
        view.put(key, { expiresAt: view.latest + goodForMs });
        view.before(entry.expiresAt);
        return "renewed";
      },
      done: (reply) => {
        if (id !== this.#managerId) return;
        if (reply === "renewed") {
          this.#goodUntil = this.#services().storeClock.earliest() + goodForMs - renewEveryMs;
        } else {
          this.#leave();
          this.#onLapse();
        }
        this.#schedule();
      },
      // The next round tries again; when the entry has lapsed by then, that is noticed.
      fail: () => this.#schedule(),
    };
  }
}
