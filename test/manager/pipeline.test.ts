/** What the pipeline owes to plans, whoever makes them. */
import { expect, test } from "vitest";
import type { View } from "../../src/core/view.js";
import { Pipeline } from "../../src/manager/pipeline.js";
import { StoreClock } from "../../src/manager/store-clock.js";
import { openMemoryStore } from "../../src/store/memory/memory-store.js";
import { ManualClock } from "../support/manual-clock.js";

test("What an answer makes the manager forget is still expected by the plans that were made from it.", async () => {
  const clock = new ManualClock();
  const store = openMemoryStore({ clock });
  const pipeline = new Pipeline({
    store,
    clock,
    storeClock: new StoreClock(clock),
    retry: { maxRetries: 0, retryDelayMs: 1, retryBackoff: 1, retryJitterMs: 0 },
    random: () => 0,
    managerId: () => "m",
    onHappened: () => undefined,
    onCommitted: () => undefined,
  });
  const submit = (plan: (view: View) => unknown, done: () => void = () => undefined): void => {
    const fail = (error: unknown): never => {
      throw error;
    };
    pipeline.submit({ plan, isProvisional: () => true, done, fail });
  };
  const seen: unknown[] = [];
  submit((view) => view.putLock("/a", { holders: [], queue: { head: 1, next: 2, waiting: 1, trees: 0 } }));
  await pipeline.idle();

  // Another manager removes it. This one plans from what it knew, and forgets that while it still plans others.
  await store.commit([{ expect: [], put: [], remove: ["lock/a"], announce: [] }]);
  submit((view) => {
    seen.push(view.lock("/a")?.queue?.waiting);
    view.putLock("/b", { holders: [], queue: { head: 1, next: 2, waiting: 1, trees: 0 } });
  });
  submit(
    () => undefined,
    () => pipeline.beliefs.forget("/a"),
  );
  await pipeline.idle();
  expect(seen).toEqual([1, undefined]);
});
