/** Cancelling: before a call, while it asks, while it waits, and at the very moment of the grant. */
import { getEventListeners } from "node:events";
import { describe, expect, onTestFinished, test } from "vitest";
import type { LockManager } from "../../src/lock-manager.js";
import type { Store } from "../../src/store/store.js";
import { FaultyStore } from "../support/faulty-store.js";
import { seededRandom } from "../support/seeded-random.js";
import { gather, realManager, refusal, type Stage, stage, watch } from "./stage.js";

describe("A signal that is aborted already", () => {
  test("is refused by every call, with its reason as cause, and nothing is asked of the store", async () => {
    const play = stage();
    const store = new FaultyStore(play.store, { clock: play.clock });
    const locks = await play.manager({}, { store });
    const { lockId } = await locks.acquireLock("/mine", "ann");
    const before = store.calls.commits + store.calls.reads;
    const reason = new Error("the user pressed escape");
    const signal = AbortSignal.abort(reason);
    const calls: Promise<unknown>[] = [
      locks.acquireLock("/a", "ann", { signal }),
      locks.acquireMultipleLocks(["/a", "/b"], "ann", { signal }),
      locks.withLock("/a", "ann", { signal }, () => expect.fail()),
      locks.releaseLock("/mine", "ann", lockId, { signal }),
      locks.extendLock("/mine", "ann", lockId, "1m", { signal }),
      locks.forceRelease("/mine", { reason: "stuck", signal }),
      locks.getLock("/mine", { signal }),
      locks.getResource("/mine", { signal }),
      locks.listLocks({ signal }),
      locks.getAgent("ann", { signal }),
      locks.getAgentLocks("ann", { signal }),
      locks.getLockCount({ signal }),
      locks.getStats({ signal }),
      locks.checkLocks(["/mine"], "ann", { signal }),
    ];
    for (const call of calls) expect((await refusal(call, "aborted")).cause).toBe(reason);
    expect(await locks.events({ signal }).next()).toEqual({ done: true, value: undefined });
    expect(store.calls.commits + store.calls.reads).toBe(before);
    expect(await locks.getLockCount()).toBe(1);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });
});

describe("A signal that aborts while its call waits", () => {
  test("ends the wait at once, names its reason, and leaves nothing behind", async () => {
    const play = stage();
    const locks = await play.manager();
    const { lockId } = await locks.acquireLock("/a", "ann");
    const controller = new AbortController();
    const call = watch(locks.acquireLock("/a", "bob", { signal: controller.signal, timeout: Infinity }));
    await play.clock.advance(1_234);
    expect((await locks.getResource("/a")).waiters.map((waiter) => waiter.agentId)).toEqual(["bob"]);
    controller.abort("enough");
    await play.clock.settle();
    expect(call.error).toMatchObject({ code: "aborted", cause: "enough", facts: { waitedMs: 1_234 } });
    expect(await locks.getResource("/a")).toMatchObject({ waiters: [], queueLength: 0 });
    expect(await locks.getAgent("bob")).toMatchObject({ locks: [], waiting: [] });
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
    await locks.releaseLock("/a", "ann", lockId);
    expect(await play.leftovers()).toEqual([]);
  });

  test("takes a multi-acquire out of all its queues", async () => {
    const play = stage();
    const locks = await play.manager();
    await locks.acquireLock("/b", "ann");
    const controller = new AbortController();
    const call = watch(locks.acquireMultipleLocks(["/a", "/b", "/c"], "bob", { signal: controller.signal }));
    await play.clock.settle();
    const behind = watch(locks.acquireLock("/c", "cat"));
    await play.clock.settle();
    expect(behind.state).toBe("pending");
    controller.abort();
    await play.clock.settle();
    expect(call.error).toMatchObject({ code: "aborted" });
    expect(behind.state).toBe("resolved");
    expect(await locks.getStats()).toMatchObject({ locks: 2, waiters: 0 });
  });

  test("ends several waits that were given it", async () => {
    const play = stage();
    const locks = await play.manager();
    await locks.acquireLock("/a", "ann");
    const controller = new AbortController();
    const calls = ["bob", "cat", "dan"].map((agent) =>
      watch(locks.acquireLock("/a", agent, { signal: controller.signal })),
    );
    await play.clock.settle();
    controller.abort();
    await play.clock.settle();
    expect(calls.map((call) => (call.error as { code?: string }).code)).toEqual(Array(3).fill("aborted"));
    expect(await locks.getStats()).toMatchObject({ waiters: 0, agents: 1 });
  });

  test("reaches the caller even when the store is down, and the waiter leaves when it is back", async () => {
    const play = stage();
    const store = new FaultyStore(play.store, { clock: play.clock });
    const locks = await play.manager({}, { store });
    await locks.acquireLock("/a", "ann");
    const controller = new AbortController();
    const call = watch(locks.acquireLock("/a", "bob", { signal: controller.signal }));
    await play.clock.settle();
    store.down();
    controller.abort();
    await play.clock.advance(30);
    expect(call.error).toMatchObject({ code: "aborted" });
    await play.clock.advance(3_000);
    store.up();
    await play.clock.advance(3_000);
    expect(await locks.getStats()).toMatchObject({ locks: 1, waiters: 0, agents: 1 });
  });
});

/** Lets so many microtasks pass. */
async function ticks(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await Promise.resolve();
}

/** A store in whose calls chosen numbers of microtasks pass. */
function hesitant(inner: Store, random: () => number): Store {
  const pause = (): Promise<void> => ticks(Math.floor(random() * 8));
  return {
    traits: { ...inner.traits, sharedBy: "machine" },
    commit: async (changes, options) => {
      await pause();
      const reply = await inner.commit(changes, options);
      await pause();
      return reply;
    },
    read: async (query, options) => {
      await pause();
      const reply = await inner.read(query, options);
      await pause();
      return reply;
    },
    subscribe: (listener) => inner.subscribe(listener),
    close: () => inner.close(),
  };
}

type Freeing = "a release" | "a release elsewhere" | "a forced release" | "an expiry" | "nobody";

/** One acquire whose signal aborts at some moment around its grant; afterwards all must be as if it had not been, or as if it was granted. */
async function aborts(play: Stage, seed: number, freeing: Freeing): Promise<"granted" | "aborted"> {
  const random = seededRandom(seed);
  const here = await play.manager({}, { store: hesitant(play.store, random) });
  const there = await play.manager({}, { store: hesitant(play.store, random) });
  const heard = [gather(here), gather(there)];
  const holder = freeing === "a release elsewhere" ? there : here;
  const held = await play.run(holder.acquireLock("/a", "ann", { ttl: 50 }));
  if (freeing === "nobody") await play.run(held.release());
  const controller = new AbortController();
  const paths = random() < 0.3 ? ["/a", "/b"] : ["/a"];
  const call = watch(
    here.acquireMultipleLocks(paths, "bob", { ttl: "1h", signal: controller.signal, timeout: "1m" }),
  );
  if (freeing !== "nobody" || random() < 0.5) await play.clock.settle();

  const freed = watch(free(freeing, held.lockId, { here, holder }));
  const when = Math.floor(random() * 60);
  if (freeing === "an expiry") {
    play.clock.after(50 + random() * 8, () => watch(ticks(when).then(() => controller.abort())));
  } else {
    await ticks(when);
    controller.abort();
  }
  await play.clock.advance(100);

  expect([freed.state, call.state]).not.toContain("pending");
  const after = await here.listLocks();
  if (call.state === "resolved") {
    expect(after.locks.map((lock) => [lock.resourcePath, lock.agentId])).toEqual(
      paths.map((path) => [path, "bob"]),
    );
    for (const lock of call.value ?? []) expect(await play.run(lock.release())).toBe(true);
  } else {
    expect(call.error).toMatchObject({ code: "aborted" });
  }
  await play.clock.advance(5_000);
  expect(await play.leftovers()).toEqual([]);
  expect(getEventListeners(controller.signal, "abort")).toEqual([]);
  for (const manager of [here, there]) {
    await play.run(manager.close());
  }
  await Promise.all(heard.map(({ end }) => end()));
  expectBalanced(heard.flatMap(({ events }) => events));
  return call.state === "resolved" ? "granted" : "aborted";
}

/** What was acquired has ended, each lock once. */
function expectBalanced(events: readonly { type: string; lockId?: string }[]): void {
  const begun = events.filter((event) => event.type === "acquired").map((event) => event.lockId);
  const ended = events
    .filter((event) => ["released", "expired", "revoked"].includes(event.type))
    .map((event) => event.lockId);
  expect(ended.toSorted()).toEqual(begun.toSorted());
  expect(new Set(begun).size).toBe(begun.length);
}

async function free(
  freeing: Freeing,
  lockId: string,
  { here, holder }: { readonly here: LockManager; readonly holder: LockManager },
): Promise<unknown> {
  switch (freeing) {
    case "a release":
    case "a release elsewhere":
      return holder.releaseLock("/a", "ann", lockId);
    case "a forced release":
      return here.forceRelease("/a", { reason: "stuck" });
    case "an expiry":
    case "nobody":
      return undefined;
  }
}

describe("A signal that aborts at the moment of the grant leaves either the lock or nothing, after", () => {
  test.each<Freeing>(["a release", "a release elsewhere", "a forced release", "an expiry", "nobody"])(
    "%s",
    { timeout: 30_000 },
    async (freeing) => {
      const play = stage();
      const seen = { granted: 0, aborted: 0 };
      for (let seed = 1; seed <= 150; seed++) {
        try {
          seen[await aborts(play, seed, freeing)]++;
        } catch (error) {
          throw new Error(`With seed ${seed}: ${String(error)}`, { cause: error });
        }
      }
      expect(seen.granted).toBeGreaterThan(0);
      expect(seen.aborted).toBeGreaterThan(0);
    },
  );
});

/** What Node warns of until the test ends. */
function listenForWarnings(): readonly Error[] {
  const warnings: Error[] = [];
  const onWarning = (warning: Error): unknown => warnings.push(warning);
  process.on("warning", onWarning);
  onTestFinished(() => {
    process.off("warning", onWarning);
  });
  return warnings;
}

test("Many calls that wait for a store to come back cause no warning of a leak.", async () => {
  const warnings = listenForWarnings();
  const play = stage();
  const store = new FaultyStore(play.store, { clock: play.clock });
  const locks = await play.manager({}, { store });
  store.down();
  const calls = Array.from({ length: 50 }, (_, n) => watch(locks.acquireLock(`/a/${n}`, "ann")));
  await play.clock.advance(50);
  store.up();
  await play.clock.advance(500);
  expect(calls.every((call) => call.state === "resolved")).toBe(true);
  expect(warnings).toEqual([]);
});

describe("Ten thousand calls on one signal", () => {
  test("put one listener on it at a time, and cause no warning", async () => {
    const warnings = listenForWarnings();
    const locks = await realManager();
    const { signal } = new AbortController();
    let most = 0;
    for (let round = 0; round < 100; round++) {
      const calls = Array.from({ length: 100 }, async (_, n) => {
        const lock = await locks.acquireLock(`/a/${n}`, `agent-${n}`, { signal });
        await locks.extendLock(lock.resourcePath, lock.agentId, lock.lockId, "2m", { signal });
        await locks.releaseLock(lock.resourcePath, lock.agentId, lock.lockId, { signal });
      });
      most = Math.max(most, getEventListeners(signal, "abort").length);
      await Promise.all(calls);
    }
    await locks.getLockCount({ signal });
    expect(most).toBeLessThanOrEqual(1);
    expect(getEventListeners(signal, "abort")).toEqual([]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(warnings).toEqual([]);
  });

  test("that look at a store which is down for a while put one listener on it together", async () => {
    const warnings = listenForWarnings();
    const play = stage();
    const store = new FaultyStore(play.store, { clock: play.clock });
    const locks = await play.manager({}, { store });
    const controller = new AbortController();
    const look = (path: string): Promise<unknown> => locks.getLock(path, { signal: controller.signal });
    store.down();
    const calls = Array.from({ length: 100 }, (_, n) => watch(look(`/a/${n}`)));
    await play.clock.advance(50);
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(1);
    store.up();
    await play.clock.advance(500);
    expect(calls.every((call) => call.state === "resolved")).toBe(true);
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
    store.down();
    const stopped = watch(look("/a"));
    await play.clock.advance(50);
    controller.abort();
    await play.clock.settle();
    expect(stopped.error).toMatchObject({ code: "aborted" });
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
    expect(warnings).toEqual([]);
  });

  test("that all wait are all refused when it aborts, and leave nothing", { timeout: 30_000 }, async () => {
    const locks = await realManager();
    const held = await locks.acquireLock("/a", "ann");
    const controller = new AbortController();
    const calls = Array.from({ length: 10_000 }, (_, n) =>
      locks.acquireLock("/a", `agent-${n}`, { signal: controller.signal, timeout: Infinity }),
    );
    const results = Promise.allSettled(calls);
    const patience = { timeout: 20_000, interval: 100 };
    await expect.poll(() => locks.getStats(), patience).toMatchObject({ waiters: 10_000 });
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(1);
    controller.abort();
    for (const result of await results) {
      expect(result.status === "rejected" && result.reason.code).toBe("aborted");
    }
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
    await expect.poll(() => locks.getStats(), patience).toMatchObject({ waiters: 0, locks: 1, agents: 1 });
    await held.release();
  });
});
