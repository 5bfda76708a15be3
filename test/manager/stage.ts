/** The stage of these tests: a memory store, managers on it, and a clock that stands still until a test advances it. */
import { expect, onTestFinished } from "vitest";
import type { Clock } from "../../src/clock/clock.js";
import { type CreateLockManagerConfig, createLockManager } from "../../src/create-lock-manager.js";
import { type ErrorCode, LockError } from "../../src/errors.js";
import type { LockEvent, LockManager } from "../../src/lock-manager.js";
import { openMemoryStore } from "../../src/store/memory/memory-store.js";
import type { Entry, Store } from "../../src/store/store.js";
import { ManualClock } from "../support/manual-clock.js";

export class Stage {
  readonly clock = new ManualClock();
  readonly store = openMemoryStore({ clock: this.clock });
  readonly #managers: LockManager[] = [];
  #ids = 0;

  /** A manager process; on this stage's store and clock unless told otherwise. */
  async manager(
    config: CreateLockManagerConfig = {},
    surroundings: { readonly store?: Store; readonly clock?: Clock } = {},
  ): Promise<LockManager> {
    const { store = this.store, clock = this.clock } = surroundings;
    const manager = await createLockManager(config, store, {
      clock,
      newId: () => `id-${++this.#ids}`,
      random: () => 0.5,
    });
    this.#managers.push(manager);
    return manager;
  }

  /** Lets time pass until the call has ended: conflicts between managers are fought out with pauses. */
  async run<T>(call: Promise<T>): Promise<T> {
    const watched = watch(call);
    await this.clock.settle();
    for (let ms = 0; ms < 1_000 && watched.state === "pending"; ms++) await this.clock.advance(1);
    if (watched.state === "pending") throw new Error("The call has not ended within a second.");
    return call;
  }

  /** Everything in the store but the word that a manager lives, which lapses by itself. */
  async leftovers(): Promise<string[]> {
    return leftovers(this.store);
  }

  async close(): Promise<void> {
    for (const manager of this.#managers) {
      manager.close().catch(() => undefined);
      await this.clock.settle();
    }
    await this.clock.advance(15_000);
  }
}

/** A stage that goes with the test. */
export function stage(): Stage {
  const made = new Stage();
  onTestFinished(() => made.close());
  return made;
}

/** A manager on a memory store of its own, under the real clock; closed with the test. */
export async function realManager(config: CreateLockManagerConfig = {}): Promise<LockManager> {
  const manager = await createLockManager(config, "memory:");
  onTestFinished(() => manager.close());
  return manager;
}

export async function entriesOf(store: Store): Promise<readonly Entry[]> {
  const { ranges } = await store.read({ ranges: [{ prefix: "" }] });
  return ranges[0] ?? [];
}

export async function leftovers(store: Store): Promise<string[]> {
  return (await entriesOf(store)).map((entry) => entry.key).filter((key) => !key.startsWith("manager/"));
}

/** The error that a call is rejected with, which must be a LockError of that code. */
export async function refusal(call: Promise<unknown>, code: ErrorCode): Promise<LockError> {
  const error: unknown = await call.then(
    (value) => {
      throw new Error(`The call was not refused as ${code}, but answered ${JSON.stringify(value)}.`);
    },
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(LockError);
  expect(error).toMatchObject({ code });
  return error as LockError;
}

/** What became of a call so far. */
export interface Watched<T> {
  readonly state: "pending" | "resolved" | "rejected";
  readonly value?: T;
  readonly error?: unknown;
}

/** Lets a test look at a promise without awaiting it. A rejection is no longer unhandled. */
export function watch<T>(call: Promise<T>): Watched<T> {
  const watched: { state: Watched<T>["state"]; value?: T; error?: unknown } = { state: "pending" };
  call.then(
    (value) => {
      watched.state = "resolved";
      watched.value = value;
    },
    (error: unknown) => {
      watched.state = "rejected";
      watched.error = error;
    },
  );
  return watched;
}

/** Gathers events as they come; `end` stops reading. */
export function gather(manager: LockManager): { readonly events: LockEvent[]; end(): Promise<void> } {
  const events: LockEvent[] = [];
  const controller = new AbortController();
  const reading = (async () => {
    for await (const event of manager.events({ signal: controller.signal })) events.push(event);
  })();
  return {
    events,
    end: () => {
      controller.abort();
      return reading;
    },
  };
}
