/** Two managers on one store: hand-over from one to the other, and what becomes of the waiters of one that is stopped. */
import { describe, expect, test } from "vitest";
import { allManagers } from "../../src/core/keys.js";
import type { LockManager } from "../../src/lock-manager.js";
import { FaultyStore } from "../support/faulty-store.js";
import { CountingStore } from "./counting-store.js";
import { Freezer } from "./freezer.js";
import { entriesOf, gather, type Stage, stage, watch } from "./stage.js";

async function managersAlive(play: Stage): Promise<number> {
  return (await entriesOf(play.store)).filter(({ key }) => key.startsWith(allManagers)).length;
}

describe("A lock goes from one manager to another", () => {
  test("by hint, without time passing, in the order of the queue", async () => {
    const play = stage();
    const managers = [await play.manager(), await play.manager()];
    const held = await managers[0]!.acquireLock("/a", "agent-0");
    const order: number[] = [];
    const done: Promise<unknown>[] = [];
    for (let n = 1; n <= 10; n++) {
      const call = managers[n % 2]!.acquireLock("/a", `agent-${n}`, { timeout: "1m" });
      done.push(
        call.then((lock) => {
          order.push(n);
          return lock.release();
        }),
      );
      await play.clock.settle();
    }
    const began = play.clock.monotonic();
    watch(held.release());
    await play.run(Promise.all(done));
    expect(order).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(play.clock.monotonic() - began).toBeLessThanOrEqual(50);
    expect(await play.leftovers()).toEqual([]);
  });

  test("within the slow poll when the hint is lost", async () => {
    const play = stage();
    const store = new FaultyStore(play.store, { clock: play.clock });
    const here = await play.manager({}, { store });
    const there = await play.manager();
    store.hint("lost");
    const held = await there.acquireLock("/a", "ann");
    const call = watch(here.acquireLock("/a", "bob"));
    await play.clock.advance(100);
    await play.run(held.release());
    expect(call.state).toBe("pending");
    await play.clock.advance(1_250);
    expect(call.state).toBe("resolved");
  });

  test("with trees: a release below lets a tree above go, and the other way round", async () => {
    const play = stage();
    const [one, two] = [await play.manager(), await play.manager()];
    const below = await one.acquireLock("/a/b/c", "ann");
    const tree = watch(two.acquireLock("/a", "bob", { scope: "tree" }));
    await play.clock.settle();
    const behind = watch(one.acquireLock("/a/b", "cat"));
    await play.clock.settle();
    await play.run(below.release());
    expect([tree.state, behind.state]).toEqual(["resolved", "pending"]);
    await play.run(tree.value!.release());
    expect(behind.state).toBe("resolved");
    expect(play.clock.monotonic()).toBeLessThanOrEqual(50);
  });
});

describe("A lock that another manager extends", () => {
  test.each<[string, (locks: LockManager, lockId: string) => Promise<unknown>, unknown]>([
    ["release", (locks, lockId) => locks.releaseLock("/a", "ann", lockId), true],
    ["extension", (locks, lockId) => locks.extendLock("/a", "ann", lockId), { agentId: "ann" }],
    ["forced release", (locks) => locks.forceRelease("/a", { reason: "stuck" }), [{ agentId: "ann" }]],
    ["check", (locks) => locks.checkLocks(["/a"], "ann"), { mine: [{ agentId: "ann" }] }],
  ])("is in force for a %s that hears of it late", async (_what, call, value) => {
    const play = stage();
    const holding = await play.manager();
    const store = new FaultyStore(play.store, { clock: play.clock });
    const other = await play.manager({}, { store });
    const lock = await holding.acquireLock("/a", "ann", { ttl: 500, autoExtend: true });
    // Had it not been extended, it would have expired before the answer comes.
    store.nextCommit({ kind: "slow", ms: 2_000 });
    const answered = watch(call(other, lock.lockId));
    await play.clock.advance(2_100);
    expect(answered).toMatchObject({ state: "resolved", value });
  });
});

describe("A manager that is stopped", () => {
  test("keeps its place for its ten seconds, then is stepped over; its waiter queues again when it goes on", async () => {
    const play = stage();
    const freezer = new Freezer(play.clock, play.store);
    const frozen = await play.manager({}, freezer);
    const here = await play.manager();
    const held = await here.acquireLock("/a", "ann", { ttl: "1h" });
    const sleeper = watch(frozen.acquireLock("/a", "bob", { timeout: Infinity }));
    await play.clock.settle();
    const next = watch(here.acquireLock("/a", "cat", { timeout: Infinity }));
    await play.clock.advance(1_000);
    freezer.freeze();
    await play.run(held.release());
    await play.clock.advance(5_000);
    expect([sleeper.state, next.state]).toEqual(["pending", "pending"]);
    await play.clock.advance(6_000);
    expect(next.state).toBe("resolved");

    freezer.thaw();
    await play.clock.advance(1_500);
    expect(sleeper.state).toBe("pending");
    expect(await here.getStats()).toMatchObject({ waiters: 1, locks: 1, agents: 2 });
    await play.run(next.value!.release());
    expect(sleeper.state).toBe("resolved");
    await play.run(sleeper.value!.release());
    expect(await play.leftovers()).toEqual([]);
  });

  test("for a shorter time has lost nothing", async () => {
    const play = stage();
    const freezer = new Freezer(play.clock, play.store);
    const frozen = await play.manager({}, freezer);
    const here = await play.manager();
    const held = await here.acquireLock("/a", "ann", { ttl: "1h" });
    const sleeper = watch(frozen.acquireLock("/a", "bob", { timeout: Infinity }));
    await play.clock.settle();
    const next = watch(here.acquireLock("/a", "cat", { timeout: Infinity }));
    await play.clock.advance(500);
    freezer.freeze();
    await play.run(held.release());
    await play.clock.advance(4_000);
    freezer.thaw();
    await play.clock.settle();
    expect([sleeper.state, next.state]).toEqual(["resolved", "pending"]);
  });

  test("beyond the ttl of its lock reads `lost` at its first look, though no timer has fired", async () => {
    const play = stage();
    const freezer = new Freezer(play.clock, play.store);
    const frozen = await play.manager({}, freezer);
    const here = await play.manager();
    const lock = await frozen.acquireLock("/a", "ann", { ttl: "2s", autoExtend: true });
    const { signal } = lock;
    freezer.freeze();
    await play.clock.advance(2_500);
    const next = await play.run(here.acquireLock("/a", "bob"));
    expect(next.fencingToken).toBeGreaterThan(lock.fencingToken);
    // Before anything that waited for it could run.
    expect(lock.signal.aborted).toBe(true);
    expect(signal.aborted).toBe(true);
    freezer.thaw();
    expect(await play.run(lock.release())).toBe(false);
    await expect(play.run(lock.extend())).rejects.toMatchObject({ code: "lost" });
    expect(await here.getLock("/a")).toMatchObject({ agentId: "bob" });
  });

  test("for good leaves waiters that the next sweep of another manager removes", async () => {
    const play = stage();
    const freezer = new Freezer(play.clock, play.store);
    const frozen = await play.manager({}, freezer);
    const here = await play.manager({ cleanupInterval: "5s" });
    const held = await here.acquireLock("/a", "ann", { ttl: "1h" });
    for (let n = 0; n < 20; n++) watch(frozen.acquireLock("/a", `dead-${n}`, { timeout: Infinity }));
    watch(frozen.acquireMultipleLocks(["/a", "/b", "/c"], "dead-21", { timeout: Infinity }));
    await play.clock.advance(100);
    expect(await here.getStats()).toMatchObject({ waiters: 23 });
    freezer.freeze();
    await play.clock.advance(16_000);
    expect(await here.getStats()).toMatchObject({ waiters: 0, agents: 1 });
    await play.run(held.release());
    expect(await play.leftovers()).toEqual([]);
    await play.clock.advance(90_000);
    expect(await managersAlive(play)).toBe(0);
  });

  test("loses the places of its multi-acquires too, and takes them again together", async () => {
    const play = stage();
    const freezer = new Freezer(play.clock, play.store);
    const frozen = await play.manager({}, freezer);
    const here = await play.manager({ cleanupInterval: "2s" });
    const a = await here.acquireLock("/a", "ann", { ttl: "1h" });
    const sleeper = watch(frozen.acquireMultipleLocks(["/a", "/b"], "bob", { timeout: Infinity }));
    await play.clock.advance(10);
    freezer.freeze();
    await play.clock.advance(15_000);
    const b = await play.run(here.acquireLock("/b", "cat", { ttl: "1h" }));
    freezer.thaw();
    await play.clock.advance(100);
    await play.run(a.release());
    expect(sleeper.state).toBe("pending");
    await play.run(b.release());
    expect(sleeper.state).toBe("resolved");
    for (const lock of sleeper.value!) await play.run(lock.release());
    expect(await play.leftovers()).toEqual([]);
  });
});

describe("The word that a manager lives", () => {
  test("is in the store only for as long as it has waiters, and costs one write in three seconds", async () => {
    const play = stage();
    const store = new CountingStore(play.store);
    const locks = await play.manager({ cleanupInterval: "1h" }, { store });
    const other = await play.manager({ cleanupInterval: "5s" });
    const held = await play.run(locks.acquireLock("/a", "ann", { ttl: "10m" }));
    expect(await managersAlive(play)).toBe(0);
    const call = watch(locks.acquireLock("/a", "bob", { timeout: Infinity }));
    await play.clock.settle();
    expect(await managersAlive(play)).toBe(1);
    const before = store.applied;
    await play.clock.advance(30_000);
    expect(store.applied - before).toBeGreaterThanOrEqual(9);
    expect(store.applied - before).toBeLessThanOrEqual(11);
    await play.run(held.release());
    expect(call.state).toBe("resolved");
    const after = store.applied;
    await play.clock.advance(75_000);
    expect(store.applied - after).toBeLessThanOrEqual(1);
    expect(await managersAlive(play)).toBe(0);
    await play.run(other.close());
  });

  test("lapses when the store is down for too long, and everybody queues again under a new one", async () => {
    const play = stage();
    const store = new FaultyStore(play.store, { clock: play.clock });
    const cut = await play.manager({}, { store });
    const here = await play.manager();
    const heard = gather(cut);
    const held = await here.acquireLock("/a", "ann", { ttl: "1h" });
    const calls = ["bob", "cat", "dan"].map((agent) =>
      watch(cut.acquireLock("/a", agent, { timeout: Infinity })),
    );
    await play.clock.advance(100);
    store.down();
    await play.clock.advance(12_000);
    const late = watch(here.acquireLock("/a", "eve", { timeout: Infinity }));
    await play.clock.settle();
    store.up();
    await play.clock.advance(5_000);
    expect(await here.getResource("/a")).toMatchObject({ queueLength: 4 });
    await play.run(held.release());
    expect(late.state).toBe("resolved");
    await play.run(late.value!.release());
    for (const call of calls) {
      await play.clock.advance(100);
      expect(call.state).toBe("resolved");
      await play.run(call.value!.release());
    }
    expect(await play.leftovers()).toEqual([]);
    await heard.end();
    const acquired = heard.events.filter((event) => event.type === "acquired");
    expect(acquired.map((event) => event.agentId)).toEqual(["bob", "cat", "dan"]);
  });
});

test.each(["here", "elsewhere"])(
  "A thousand calls made in one moment for a path held %s queue in the order in which they were made",
  async (where) => {
    const play = stage();
    const [here, elsewhere] = [await play.manager({ maxWaitersPerResource: 2_000 }), await play.manager()];
    await (where === "here" ? here : elsewhere).acquireLock("/a", "ann", { ttl: "1h" });
    const agents = Array.from({ length: 1_000 }, (_, n) => `agent-${n}`);
    const calls = agents.map((agent) => watch(here.acquireLock("/a", agent, { timeout: "1h" })));
    await play.clock.advance(500);
    expect(calls.every((call) => call.state === "pending")).toBe(true);
    const waiters = (await entriesOf(play.store)).filter((entry) => entry.key.startsWith("wait/"));
    expect(waiters.map((entry) => (entry.value as { agentId: string }).agentId)).toEqual(agents);
  },
);
