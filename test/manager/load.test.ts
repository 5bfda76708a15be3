/** Many at once: ten thousand waiters on one path, ten thousand locks that end in the same millisecond, one agent that asks for everything. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { describe, expect, onTestFinished, test } from "vitest";
import { queueOf } from "../../src/core/keys.js";
import { asWaiter } from "../../src/core/view.js";
import { createLockManager } from "../../src/create-lock-manager.js";
import type { LockManager } from "../../src/lock-manager.js";
import { openMemoryStore } from "../../src/store/memory/memory-store.js";
import { CountingStore } from "./counting-store.js";
import { entriesOf, leftovers, refusal } from "./stage.js";

const many = 10_000;
const patience = { timeout: 20_000, interval: 50 };

async function counted(config = {}): Promise<{ locks: LockManager; store: CountingStore }> {
  const store = new CountingStore(openMemoryStore());
  const locks = await createLockManager(config, store);
  onTestFinished(() => locks.close());
  return { locks, store };
}

describe("Ten thousand waiters on one path", () => {
  test("are served in order, one by one, with at most four store operations each and one wake-up", {
    timeout: 60_000,
  }, async () => {
    const { locks, store } = await counted();
    const held = await locks.acquireLock("/a", "holder", { ttl: "10m" });
    const order: number[] = [];
    const tokens: number[] = [];
    const done = Array.from({ length: many }, async (_, n) => {
      const lock = await locks.acquireLock("/a", `agent-${n}`, { timeout: Infinity });
      order.push(n);
      tokens.push(lock.fencingToken);
      await lock.release();
    });
    await expect.poll(() => locks.getResource("/a"), patience).toMatchObject({ queueLength: many });
    // And no more than that.
    const error = await refusal(locks.acquireLock("/a", "one-more"), "limit_exceeded");
    expect(error.facts).toMatchObject({ limit: many, resourcePath: "/a" });

    // The order of the queue, which calls that are made at the same time may enter in another order than they were made.
    const queue = (await entriesOf(store)).filter(({ key }) => key.startsWith(queueOf("/a")));
    const expected = queue.map((waiter) => Number(asWaiter(waiter).agentId.slice("agent-".length)));
    const before = { operations: store.operations, applied: store.applied, read: store.entriesRead };
    await held.release();
    await Promise.all(done);
    expect(order).toEqual(expected);
    expect(tokens.every((token, n) => n === 0 || token > (tokens[n - 1] ?? 0))).toBe(true);
    // A hand-over is one commit; what else there is (the slow poll, word that the manager lives) hardly counts.
    expect((store.operations - before.operations) / many).toBeLessThanOrEqual(4);
    expect((store.applied - before.applied) / many).toBeLessThanOrEqual(1.1);
    // Nobody reads the queue to find who is next.
    expect((store.entriesRead - before.read) / many).toBeLessThanOrEqual(1);
    expect(await leftovers(store)).toEqual([]);
  });

  test("of whom every second gives up cost the others nothing", { timeout: 60_000 }, async () => {
    const { locks, store } = await counted();
    const held = await locks.acquireLock("/a", "holder", { ttl: "10m" });
    const controller = new AbortController();
    const order: number[] = [];
    const calls = Array.from({ length: 2_000 }, async (_, n) => {
      const signal = n % 2 === 0 ? { signal: controller.signal } : {};
      const lock = await locks.acquireLock("/a", `agent-${n}`, { timeout: Infinity, ...signal });
      order.push(n);
      await lock.release();
    });
    const results = Promise.allSettled(calls);
    await expect.poll(() => locks.getResource("/a"), patience).toMatchObject({ queueLength: 2_000 });
    controller.abort();
    await expect.poll(() => locks.getResource("/a"), patience).toMatchObject({ queueLength: 1_000 });
    const before = store.operations;
    await held.release();
    expect((await results).filter((result) => result.status === "fulfilled")).toHaveLength(1_000);
    expect(order.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 1_000 }, (_, n) => 2 * n + 1));
    expect((store.operations - before) / 1_000).toBeLessThanOrEqual(4);
    expect(await leftovers(store)).toEqual([]);
  });
});

test("A thousand places in queues are the most of one agent.", async () => {
  const { locks } = await counted({ maxLocksPerAgent: 2_000 });
  const controller = new AbortController();
  const { signal } = controller;
  const paths = Array.from({ length: 1_100 }, (_, n) => `/a/${n}`);
  await Promise.all(paths.map((path) => locks.acquireLock(path, "owner", { ttl: "10m" })));
  let refused = 0;
  const calls = paths.map((path) => locks.acquireLock(path, "greedy", { timeout: Infinity, signal }));
  for (const call of calls) call.catch(() => refused++);
  await expect.poll(() => refused, patience).toBe(100);
  expect(await locks.getStats()).toMatchObject({ waiters: 1_000 });
  controller.abort();
  const codes = (await Promise.allSettled(calls)).map((one) =>
    one.status === "rejected" ? one.reason.code : "granted",
  );
  expect(codes.filter((code) => code === "aborted")).toHaveLength(1_000);
  expect(codes.filter((code) => code === "limit_exceeded")).toHaveLength(100);
  await expect.poll(() => locks.getStats(), patience).toMatchObject({ waiters: 0 });
});

describe("Ten thousand locks that end in the same millisecond", () => {
  test("are gone within a second, in slices that let the event loop turn", { timeout: 60_000 }, async () => {
    const { locks, store } = await counted();
    const taken = await Promise.all(
      Array.from({ length: many }, (_, n) =>
        locks.acquireLock(`/a/${n}`, `agent-${n % 1_000}`, { ttl: "1h" }),
      ),
    );
    // All to the same moment, as near as calls can be.
    const ends = Date.now() + 1_500;
    await Promise.all(taken.map((lock) => lock.extend(Math.max(ends - Date.now(), 10))));
    const expiries = taken.map((lock) => lock.expiresAt.getTime());
    const last = Math.max(...expiries);
    expect(await locks.getLockCount()).toBeGreaterThan(0);

    const delay = monitorEventLoopDelay({ resolution: 5 });
    delay.enable();
    await expect.poll(() => leftovers(store), { timeout: 10_000, interval: 20 }).toEqual([]);
    delay.disable();
    const late = locks.currentTime().getTime() - last;
    console.log(
      `10,000 expired within ${last - Math.min(...expiries)} ms: gone ${Math.round(late)} ms later, longest stall ${Math.round(delay.max / 1e6)} ms`,
    );
    expect(late).toBeLessThanOrEqual(2_000);
    expect(delay.max / 1e6).toBeLessThanOrEqual(500);
    expect(await locks.metrics()).toContain(`engram_locks_expired_total ${many}`);
  });

  test("and were granted by a dead process are swept in pages", { timeout: 60_000 }, async () => {
    const store = new CountingStore(openMemoryStore());
    const dead = await createLockManager({}, store);
    await Promise.all(
      Array.from({ length: many }, (_, n) => dead.acquireLock(`/a/${n}`, `agent-${n % 1_000}`, { ttl: 10 })),
    );
    await dead.close();
    const locks = await createLockManager({ cleanupInterval: 50 }, store);
    onTestFinished(() => locks.close());
    await expect.poll(() => leftovers(store), patience).toEqual([]);
  });
});
