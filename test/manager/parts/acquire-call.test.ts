/** One acquire from the call to what its caller hears, and that it hears it once and on time. */
import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import type { LockManagerConfig } from "../../../src/manager/config.js";
import type { Caller } from "./caller.js";
import { type Workshop, workshop } from "./workshop.js";

/** A manager beside a second one, of whose agents one has the locks. */
async function elsewhere(
  paths: string | readonly string[] = "/a",
  config?: LockManagerConfig,
): Promise<{ shop: Workshop; there: Workshop; ann: Caller }> {
  const shop = await workshop(config);
  const there = await workshop({}, { beside: shop, name: "there" });
  return { shop, there, ann: await there.ask("ann", paths) };
}

describe("An acquire", () => {
  test("of what is free has it at once, and leaves no deadline and no listener.", async () => {
    const shop = await workshop();
    const { signal } = new AbortController();
    const ann = await shop.ask("ann", "/a", { signal });
    expect(ann.heard).toEqual(["granted"]);
    expect([ann.call.isWaiting, ann.call.bucket]).toEqual([false, undefined]);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  test("has a deadline while it asks a store that may hang, and of one in its own process only when it waits.", async () => {
    const shop = await workshop();
    expect(shop.begin("ann", "/a").call.bucket).toBeDefined();
    expect(shop.begin("ann", "/b", { timeoutMs: 0 }).call.bucket).toBeUndefined();
    expect(shop.begin("ann", "/c", { timeoutMs: Infinity }).call.bucket).toBeUndefined();
    const near = await workshop({}, { traits: { sharedBy: "process" } });
    await near.grant(near.request("ann", "/a"));
    const { call } = near.begin("bob", "/a");
    expect(call.bucket).toBeUndefined();
    await near.clock.settle();
    expect(call.bucket).toBeDefined();
  });

  test("that does not wait is refused at once, has not waited, and keeps no place.", async () => {
    const shop = await workshop();
    await shop.ask("ann", "/a");
    shop.listen();
    const bob = await shop.ask("bob", "/a", { timeoutMs: 0 });
    expect(bob.heard).toEqual(["held"]);
    expect(bob.error).toMatchObject({ facts: { waitedMs: 0, conflicts: [{ agentId: "ann" }] } });
    expect(shop.types).toEqual(["contended bob", "refused bob"]);
    expect((await shop.standing("/a")).waiters).toEqual([]);
  });

  test("that waits has its turn when the lock is released, and says how long it waited.", async () => {
    const shop = await workshop();
    const ann = await shop.ask("ann", "/a");
    shop.listen();
    const bob = await shop.ask("bob", "/a");
    expect([bob.call.isWaiting, bob.call.path, bob.call.places]).toEqual([true, "/a", [1]]);
    await shop.clock.advance(300);
    expect(bob.call.waitedMs).toBe(300);
    await shop.release(ann);
    expect(bob.heard).toEqual(["granted"]);
    expect([bob.call.isWaiting, shop.services.room.isEmpty]).toEqual([false, true]);
    expect(shop.types).toEqual(["queued bob", "contended bob", "released ann", "acquired bob"]);
    expect(shop.events[3]).toMatchObject({ waitedMs: 300 });
    await shop.clock.advance(100_000);
    expect(bob.heard).toEqual(["granted"]);
  });

  test("of several paths acts on no one path.", async () => {
    const shop = await workshop();
    expect(shop.begin("ann", ["/a", "/b"]).call.path).toBeUndefined();
  });

  test("has its turn when the lock in its way expires.", async () => {
    const shop = await workshop();
    await shop.grant(shop.request("ann", "/a", { ttlMs: 400 }));
    const bob = await shop.ask("bob", "/a");
    await shop.clock.advance(399);
    expect(bob.heard).toEqual([]);
    await shop.clock.advance(10);
    expect(bob.heard).toEqual(["granted"]);
  });

  test("is refused at its limit, when it asks and when it has its turn.", async () => {
    const shop = await workshop({ maxLocksPerAgent: 1 });
    const ann = await shop.ask("ann", "/a");
    const bob = await shop.ask("bob", "/a");
    const cat = await shop.ask("cat", "/a");
    await shop.ask("bob", "/b");
    expect((await shop.ask("bob", "/c")).heard).toEqual(["limit_exceeded"]);
    await shop.release(ann);
    expect([bob.heard, cat.heard]).toEqual([["limit_exceeded"], ["granted"]]);
    expect(bob.call.isWaiting).toBe(false);
  });

  test("that shares goes with those who share before it, and those behind go as well.", async () => {
    const shop = await workshop();
    const ann = await shop.ask("ann", "/a");
    const readers = [
      await shop.ask("bob", "/a", { mode: "shared" }),
      await shop.ask("cat", "/a", { mode: "shared" }),
    ];
    await shop.release(ann);
    expect(readers.map(({ heard }) => heard)).toEqual([["granted"], ["granted"]]);
  });

  test("that closed a deadlock is refused, and the other goes on.", async () => {
    const shop = await workshop();
    const [ann, bob] = [await shop.ask("ann", "/a"), await shop.ask("bob", "/b")];
    const first = await shop.ask("ann", "/b");
    const second = await shop.ask("bob", "/a");
    expect([first.heard, second.heard]).toEqual([[], ["deadlock"]]);
    expect((await shop.standing("/a")).waiters).toEqual([]);
    await shop.release(bob);
    expect(first.heard).toEqual(["granted"]);
    expect(ann.heard).toEqual(["granted"]);
  });
});

describe("A timeout", () => {
  test("ends a wait on time, names who was in the way, and leaves no place and no timer.", async () => {
    const shop = await workshop();
    await shop.ask("ann", "/a");
    shop.listen();
    const bob = await shop.ask("bob", "/a", { timeoutMs: 500 });
    const cat = await shop.ask("cat", "/a", { timeoutMs: Infinity });
    await shop.clock.advance(499);
    expect(bob.heard).toEqual([]);
    await shop.clock.advance(10);
    expect(bob.heard).toEqual(["held"]);
    expect(bob.error).toMatchObject({
      facts: { conflicts: [{ agentId: "ann" }], queueLength: 1, waitedMs: expect.closeTo(500, -1) },
    });
    expect((await shop.standing("/a")).waiters).toEqual(["cat"]);
    expect(shop.types.slice(-2)).toEqual(["dequeued bob", "refused bob"]);
    expect(shop.types.filter((type) => type === "contended bob")).toHaveLength(1);
    expect([cat.heard, cat.call.bucket]).toEqual([[], undefined]);
    // Nor the one that was to refuse it if the store had not answered its withdrawal.
    await shop.clock.advance(60_000);
    expect([bob.heard, shop.clock.pendingInForeground]).toEqual([["held"], 0]);
  });

  test("ends a call whose store does not answer, and gives back what it is granted later.", async () => {
    const shop = await workshop();
    shop.listen();
    shop.store.nextCommit({ kind: "slow", ms: 2_000 });
    const ann = await shop.ask("ann", "/a", { timeoutMs: 300 });
    await shop.clock.advance(310);
    expect(ann.heard).toEqual(["held"]);
    await shop.clock.advance(2_000);
    expect(ann.heard).toEqual(["held"]);
    expect(shop.types).toEqual(["contended ann", "refused ann", "acquired ann", "released ann"]);
    expect(await shop.leftovers()).toEqual([]);
  });

  test("ends a call that is queued only after it, and its place goes.", async () => {
    const shop = await workshop();
    await shop.ask("ann", "/a");
    shop.store.nextCommit({ kind: "slow", ms: 2_000 });
    const bob = await shop.ask("bob", "/a", { timeoutMs: 300 });
    await shop.clock.advance(310);
    expect(bob.heard).toEqual(["held"]);
    await shop.clock.advance(2_000);
    expect(await shop.standing("/a")).toEqual({ holders: ["ann"], waiters: [] });
    expect([bob.heard, shop.services.room.isEmpty]).toEqual([["held"], true]);
  });
});

describe("An abort", () => {
  test("ends a wait at once, and is told with its reason.", async () => {
    const shop = await workshop();
    await shop.ask("ann", "/a");
    shop.listen();
    const controller = new AbortController();
    const bob = await shop.ask("bob", "/a", { signal: controller.signal });
    await shop.clock.advance(40);
    controller.abort("enough");
    await shop.clock.settle();
    expect(bob.error).toMatchObject({ code: "aborted", cause: "enough", facts: { waitedMs: 40 } });
    expect(shop.events.slice(-2).map(({ type, cause }) => [type, cause])).toEqual([
      ["dequeued", "aborted"],
      ["refused", "aborted"],
    ]);
    expect((await shop.standing("/a")).waiters).toEqual([]);
  });

  test("is heard within 25 ms when the store does not answer, and the place goes when it does.", async () => {
    const shop = await workshop();
    await shop.ask("ann", "/a");
    const controller = new AbortController();
    const bob = await shop.ask("bob", "/a", { signal: controller.signal });
    shop.store.down();
    controller.abort();
    await shop.clock.advance(24);
    expect(bob.heard).toEqual([]);
    await shop.clock.advance(1);
    expect(bob.heard).toEqual(["aborted"]);
    shop.store.up();
    await shop.clock.advance(20_000);
    expect(bob.heard).toEqual(["aborted"]);
    expect((await shop.standing("/a")).waiters).toEqual([]);
  });

  test("before anything was sent changes nothing.", async () => {
    const shop = await workshop();
    const { commits } = shop.store.calls;
    const controller = new AbortController();
    const ann = shop.begin("ann", "/a", { signal: controller.signal });
    controller.abort();
    expect(ann.heard).toEqual(["aborted"]);
    await shop.clock.settle();
    expect([ann.heard, shop.store.calls.commits]).toEqual([["aborted"], commits]);
  });

  test("while it is withdrawn for another reason changes nothing.", async () => {
    const shop = await workshop();
    await shop.ask("ann", "/a");
    const controller = new AbortController();
    const bob = await shop.ask("bob", "/a", { signal: controller.signal, timeoutMs: 100 });
    bob.call.stop(undefined);
    controller.abort();
    await shop.clock.settle();
    expect(bob.heard).toEqual(["held"]);
  });
});

describe("A store that does not say what came of it", () => {
  test("has granted it all the same: the caller has the lock, and it is told of once.", async () => {
    const shop = await workshop();
    shop.listen();
    shop.store.nextCommit({ kind: "reply lost" });
    const ann = await shop.ask("ann", "/a");
    await shop.clock.advance(6_000);
    expect([ann.heard, shop.types]).toEqual([["granted"], ["acquired ann"]]);
  });

  test("has queued it all the same: it waits, and has its turn.", async () => {
    const shop = await workshop();
    const ann = await shop.ask("ann", "/a");
    shop.store.nextCommit({ kind: "reply lost" });
    const bob = await shop.ask("bob", "/a");
    await shop.clock.advance(6_000);
    expect(bob.call.isWaiting).toBe(true);
    await shop.release(ann);
    expect(bob.heard).toEqual(["granted"]);
  });

  test("has done nothing: it is asked for anew, under ids of its own.", async () => {
    const shop = await workshop();
    shop.store.nextCommit({ kind: "request lost" });
    const ann = shop.begin("ann", "/a");
    const { requestId } = ann.request;
    await shop.clock.advance(6_000);
    expect(ann.heard).toEqual(["granted"]);
    expect(ann.request.requestId).not.toBe(requestId);
  });

  test("and is not asked again leaves the outcome unknown, and nothing behind.", async () => {
    const shop = await workshop({ maxRetries: 0 });
    shop.store.nextCommit({ kind: "reply lost" });
    const ann = await shop.ask("ann", "/a");
    await shop.clock.settle();
    expect(ann.heard).toEqual(["outcome_unknown"]);
    await shop.clock.advance(6_000);
    expect(await shop.leftovers()).toEqual([]);
  });
});

describe("A manager", () => {
  test("that closes refuses whoever waits, and whoever is queued afterwards.", async () => {
    const shop = await workshop();
    await shop.ask("ann", "/a");
    const bob = await shop.ask("bob", "/a");
    shop.store.nextCommit({ kind: "slow", ms: 20 });
    const cat = await shop.ask("cat", "/a");
    shop.parts.room.close();
    await shop.clock.advance(100);
    expect([bob.heard, cat.heard]).toEqual([["closed"], ["closed"]]);
    expect((await shop.standing("/a")).waiters).toEqual([]);
  });

  test("that gave its id up has its waiters queue again, under other ids.", async () => {
    const shop = await workshop();
    const ann = await shop.ask("ann", "/a");
    const bob = await shop.ask("bob", "/a");
    const { requestId } = bob.call.request;
    shop.parts.room.requeueAll();
    await shop.clock.settle();
    expect(bob.call.request.requestId).not.toBe(requestId);
    expect((await shop.standing("/a")).waiters).toEqual(["bob"]);
    await shop.release(ann);
    expect(bob.heard).toEqual(["granted"]);
  });
});

describe("A look", () => {
  test("during which a hint comes is followed by another, at what the store says then.", async () => {
    const { shop, there, ann } = await elsewhere();
    const bob = await shop.ask("bob", "/a");
    shop.store.nextRead({ kind: "slow", ms: 100 });
    bob.call.look(true);
    await shop.clock.advance(60);
    await there.release(ann);
    expect(bob.heard).toEqual([]);
    await shop.clock.advance(45);
    expect(bob.heard).toEqual(["granted"]);
  });

  test("follows at once when a tree was queued, because what is below it may have gone meanwhile.", async () => {
    const { shop, there, ann } = await elsewhere("/a/b");
    await shop.ask("bob", "/a", { scope: "tree", timeoutMs: 0 });
    shop.store.nextCommit({ kind: "slow", ms: 100 });
    const bob = await shop.ask("bob", "/a", { scope: "tree" });
    await shop.clock.advance(20);
    await there.release(ann);
    await shop.clock.advance(85);
    expect(bob.heard).toEqual(["granted"]);
  });

  test("follows at once when it is learned late that it was queued.", async () => {
    const { shop, there, ann } = await elsewhere();
    await shop.ask("bob", "/a", { timeoutMs: 0 });
    shop.store.nextCommit({ kind: "reply lost" });
    const bob = await shop.ask("bob", "/a");
    await there.release(ann);
    await shop.clock.advance(5_500);
    expect(bob.heard).toEqual(["granted"]);
  });

  test("at what is believed costs the store nothing.", async () => {
    const shop = await workshop();
    await shop.ask("ann", "/a");
    const bob = await shop.ask("bob", "/a");
    const calls = { ...shop.store.calls };
    bob.call.look();
    bob.call.lookForDeadlock();
    await shop.clock.settle();
    expect(shop.store.calls).toEqual(calls);
  });

  test("that fails is not the last.", async () => {
    const { shop, there, ann } = await elsewhere("/a", { maxRetries: 0 });
    const bob = await shop.ask("bob", "/a");
    shop.store.down();
    bob.call.look(true);
    await shop.clock.advance(100);
    shop.store.up();
    await there.release(ann);
    await shop.clock.advance(1_500);
    expect(bob.heard).toEqual(["granted"]);
  });

  test("that finds its place swept leads to another place, under another id.", async () => {
    const { shop, there, ann } = await elsewhere();
    const bob = await shop.ask("bob", "/a", { timeoutMs: Infinity });
    const { requestId } = bob.call.request;
    shop.store.down();
    // By then its manager is taken for dead.
    await shop.clock.advance(100_000);
    const cat = await there.ask("cat", "/a");
    await there.release(ann);
    await shop.clock.advance(30);
    expect(cat.heard).toEqual(["granted"]);
    shop.store.up();
    await shop.clock.advance(2_000);
    expect(await shop.standing("/a")).toEqual({ holders: ["cat"], waiters: ["bob"] });
    expect(bob.call.request.requestId).not.toBe(requestId);
    await there.release(cat);
    expect(bob.heard).toEqual(["granted"]);
  });
});

describe("A newcomer to a path that is free and waited for", () => {
  test("queues without reading who waits there once another writer was faster.", async () => {
    const { shop, there } = await elsewhere();
    await there.ask("cat", "/a");
    await shop.ask("bob", "/a", { timeoutMs: 0 });
    there.store.vanish();
    await shop.clock.advance(600_001);
    shop.store.nextCommit({ kind: "overtaken" });
    const { reads } = shop.store.calls;
    const bob = await shop.ask("bob", "/a");
    expect([bob.call.isWaiting, shop.store.calls.reads]).toEqual([true, reads]);
  });
});

describe("Other writers that are always faster", () => {
  /** Bob asks for what is free, and hears nothing from the store for a while but that it was too late. */
  async function outdone(timeoutMs: number, times: number): Promise<unknown[]> {
    const shop = await workshop({}, { traits: { sharedBy: "process" } });
    await shop.ask("bob", "/a");
    shop.store.nextCommit({ kind: "overtaken" }, times);
    const bob = await shop.ask("bob", "/b", { timeoutMs });
    await shop.clock.advance(60_000);
    return [...bob.heard, Math.round(bob.heardAt)];
  }

  test.each([0, 10_000, Infinity])("keep a call waiting, of %d ms at most.", async (timeoutMs) => {
    expect(await outdone(timeoutMs, 20)).toEqual(["granted", 381]);
  });

  test.each([
    [0, 5_000],
    [2_000, 2_000],
    [10_000, 10_000],
    [Infinity, 5_000],
  ])("end one of %d ms at most after %d.", async (timeoutMs, endMs) => {
    expect(await outdone(timeoutMs, 1_000)).toEqual(["store_unavailable", expect.closeTo(endMs, -2)]);
  });
});

describe("A waiter", () => {
  test("is not overtaken by those of another manager, whom it has told that it lives.", async () => {
    const { shop, there, ann } = await elsewhere();
    shop.store.hint("lost");
    await shop.ask("bob", "/a");
    const cat = await there.ask("cat", "/a");
    await there.release(ann);
    await shop.clock.advance(30);
    expect([cat.heard, await shop.standing("/a")]).toEqual([[], { holders: [], waiters: ["bob", "cat"] }]);
  });

  test("whose time is up is overtaken, though it has not left.", async () => {
    const { shop, there, ann } = await elsewhere();
    await shop.clock.advance(5_000);
    await shop.ask("bob", "/a", { timeoutMs: 500 });
    shop.store.vanish();
    const cat = await there.ask("cat", "/a");
    await shop.clock.advance(510);
    await there.release(ann);
    await shop.clock.advance(30);
    expect(cat.heard).toEqual(["granted"]);
  });
});

describe("A call that is refused", () => {
  test("leaves its queue in one step, however often it is told to.", async () => {
    const shop = await workshop();
    await shop.ask("ann", "/a");
    const bob = await shop.ask("bob", "/a");
    const { commits, reads } = shop.store.calls;
    bob.call.stop(undefined);
    bob.call.stop(undefined);
    await shop.clock.advance(10_000);
    expect(shop.store.calls).toEqual({ commits: commits + 1, reads });
  });

  test("because the store failed is not followed up: surely nothing is left.", async () => {
    const shop = await workshop();
    shop.store.nextCommit({ kind: "refused", retryable: false });
    const ann = await shop.ask("ann", "/a");
    expect(ann.heard).toEqual(["store_unavailable"]);
    const calls = { ...shop.store.calls };
    await shop.clock.advance(10_000);
    expect(shop.store.calls).toEqual(calls);
  });

  test("at its limit was in nobody's way, nor anybody in its.", async () => {
    const shop = await workshop({ maxLocksPerAgent: 1 });
    await shop.ask("ann", "/a");
    shop.listen();
    await shop.ask("ann", "/b");
    expect(shop.types).toEqual(["refused ann"]);
  });

  test("and whose leaving fails hears of it all the same, and leaves a moment later.", async () => {
    const shop = await workshop();
    await shop.ask("ann", "/a");
    const bob = await shop.ask("bob", "/a");
    shop.store.nextCommit({ kind: "refused", retryable: false });
    bob.call.stop(undefined);
    await shop.clock.settle();
    expect([bob.heard, shop.services.room.isEmpty]).toEqual([["held"], true]);
    expect((await shop.standing("/a")).waiters).toEqual([]);
    await shop.clock.advance(60_000);
    expect([bob.heard, shop.clock.pendingInForeground]).toEqual([["held"], 0]);
  });
});

describe("A call that is refused while its place goes", () => {
  test("hears of it at once when its manager gave its id up, and does not queue again.", async () => {
    const shop = await workshop();
    await shop.ask("ann", "/a");
    const bob = await shop.ask("bob", "/a");
    shop.listen();
    shop.store.nextCommit({ kind: "slow", ms: 20 });
    bob.call.stop(undefined);
    await shop.clock.advance(5);
    shop.parts.room.requeueAll();
    expect(bob.heard).toEqual(["held"]);
    await shop.clock.advance(30_000);
    expect(bob.heard).toEqual(["held"]);
    expect(shop.types).toEqual(["refused bob", "dequeued bob"]);
    expect((await shop.standing("/a")).waiters).toEqual([]);
  });

  test("gives back what a release of its manager grants it.", async () => {
    const shop = await workshop();
    const ann = await shop.ask("ann", "/a");
    const bob = await shop.ask("bob", "/a");
    shop.listen();
    shop.store.nextCommit({ kind: "slow", ms: 20 });
    await shop.release(ann);
    bob.call.stop(undefined);
    await shop.clock.advance(25);
    expect(bob.heard).toEqual(["held"]);
    expect(shop.types).toEqual(["released ann", "acquired bob", "refused bob", "released bob"]);
    expect(await shop.leftovers()).toEqual([]);
  });

  /** Bob's turn came, of which no answer was had, when he is told to stop. */
  async function served(paths: readonly string[]): Promise<{ shop: Workshop; there: Workshop; bob: Caller }> {
    const { shop, there, ann } = await elsewhere(paths);
    const bob = await shop.ask("bob", paths);
    shop.store.nextCommit({ kind: "reply lost" });
    await there.release(ann);
    expect(await shop.standing("/a")).toEqual({ holders: ["bob"], waiters: [] });
    return { shop, there, bob };
  }

  test("gives back what it finds that it has been granted.", async () => {
    const { shop, bob } = await served(["/a"]);
    bob.call.stop(undefined);
    await shop.clock.advance(1_000);
    expect(bob.heard).toEqual(["held"]);
    expect(await shop.leftovers()).toEqual([]);
  });

  test("gives back what is left of that.", async () => {
    const { shop, there, bob } = await served(["/a", "/b"]);
    for (const { resource, lockId } of bob.request.claims.slice(1)) {
      expect(await there.parts.commands.release({ resource, agentId: "bob", lockId })).toBe(true);
    }
    bob.call.stop(undefined);
    await shop.clock.advance(1_000);
    expect(bob.heard).toEqual(["held"]);
    expect(await shop.leftovers()).toEqual([]);
  });
});

describe("A call that queues again", () => {
  test("can be stopped before it has, and then does not.", async () => {
    const shop = await workshop();
    await shop.ask("ann", "/a");
    const bob = await shop.ask("bob", "/a");
    shop.listen();
    shop.parts.room.requeueAll();
    bob.call.stop(undefined);
    expect(bob.heard).toEqual(["held"]);
    await shop.clock.advance(10_000);
    expect(shop.types).toEqual(["refused bob", "dequeued bob"]);
  });
});

describe("The time that a call has waited", () => {
  test("is none when it does not wait, however long the store takes.", async () => {
    const shop = await workshop();
    await shop.ask("ann", "/a");
    shop.store.nextCommit({ kind: "slow", ms: 100 });
    const bob = await shop.ask("bob", "/a", { timeoutMs: 0 });
    await shop.clock.advance(100);
    expect(bob.error).toMatchObject({ code: "held", facts: { waitedMs: 0 } });
  });

  test("shortens how long it stands aside for company.", async () => {
    const { shop, there } = await elsewhere();
    await there.ask("cat", "/a");
    await there.ask("dan", "/a");
    shop.store.nextCommit({ kind: "slow", ms: 1_000 });
    await shop.ask("bob", "/a");
    await shop.clock.advance(1_000);
    const { call } = shop.begin("eve", "/a", { timeoutMs: 200 });
    expect(call.patienceMs).toBe(50);
    await shop.clock.advance(100);
    expect(call.patienceMs).toBe(25);
  });
});
