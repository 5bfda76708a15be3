/** What follows an acquire that got no lock, or whose lock nobody takes: that nothing is left of it, and what is told. */
import { describe, expect, test } from "vitest";
import { storedPath } from "../../../src/core/resource-path.js";
import { followUp, giveBack, renewed, requestOf, tellOfAcquire } from "../../../src/manager/aftermath.js";
import { holder } from "./holder.js";
import { workshop } from "./workshop.js";

const patienceMs = 5_000;

describe("A grant that nobody takes any more", () => {
  test("is given back, without word of its beginning, and the next who waits has the lock.", async () => {
    const shop = await workshop();
    const request = shop.request("ann", "/a");
    await shop.grant(request);
    const bob = await shop.ask("bob", "/a");
    shop.listen();
    giveBack(shop.services, request);
    await shop.clock.settle();
    expect(bob.heard).toEqual(["granted"]);
    expect(shop.types).toEqual(["released ann", "acquired bob"]);
    expect(await shop.standing("/a")).toEqual({ holders: ["bob"], waiters: [] });
    // Its token is the revision of that change.
    expect(bob.locks[0]?.holder.token).toBe(0);
    expect(bob.revision).toBeGreaterThan(0);
  });

  test("is given back on all its paths but where another call of its agent has the lock in hand.", async () => {
    const shop = await workshop();
    const request = shop.request("ann", ["/a", "/b"]);
    await shop.grant(request);
    const again = await shop.ask("ann", "/b");
    expect(again.locks[0]?.holder.lockId).toBe(request.claims[1]?.lockId);
    giveBack(shop.services, request);
    await shop.clock.settle();
    expect((await shop.standing("/a")).holders).toEqual([]);
    expect((await shop.standing("/b")).holders).toEqual(["ann"]);
    expect([...shop.parts.held.all()].map(({ path, end }) => [path, end])).toEqual([["/b", undefined]]);
  });

  test("is lost to a call of its agent that acquired it again while it was given back.", async () => {
    const shop = await workshop();
    const request = shop.request("ann", "/a");
    await shop.grant(request);
    shop.store.nextCommit({ kind: "slow", ms: 20 });
    giveBack(shop.services, request);
    await shop.clock.advance(5);
    const [{ resource, lockId }] = request.claims as [(typeof request.claims)[0]];
    const held = shop.parts.held.add(resource, { ...holder, lockId, expiresAt: Infinity }, 1, false);
    await shop.clock.advance(10);
    expect(held.end).toBeUndefined();
    await shop.clock.advance(10);
    expect(held.end).toBe("gone");
  });

  test("is known by what a release says of it.", () => {
    expect(requestOf({ requestId: "R7", granted: { path: "/a/b", holder } })).toEqual({
      requestId: "R7",
      agentId: "ann",
      mode: "exclusive",
      scope: "resource",
      claims: [{ resource: storedPath("/a/b"), lockId: "L1", ttlMs: 1000 }],
    });
  });
});

describe("What is left of a request whose outcome was never learned", () => {
  test("is removed at once, and the whole story is told.", async () => {
    const shop = await workshop();
    const request = shop.request("ann", "/a");
    await (await workshop({}, { beside: shop })).grant(request);
    shop.listen();
    followUp(shop.services, request);
    await shop.clock.settle();
    expect(shop.types).toEqual(["acquired ann", "released ann"]);
    expect(await shop.leftovers()).toEqual([]);
  });

  test("is looked for once more when no change that was sent for it can be applied any more.", async () => {
    const shop = await workshop();
    const there = await workshop({}, { beside: shop });
    await shop.clock.advance(10_000);
    await shop.parts.read({});
    const request = shop.request("ann", "/a");
    followUp(shop.services, request);
    await shop.clock.advance(1_000);
    await there.grant(request);
    shop.listen();
    await shop.clock.advance(patienceMs - 1_001);
    expect(await shop.standing("/a")).toEqual({ holders: ["ann"], waiters: [] });
    await shop.clock.advance(10);
    expect(shop.types).toEqual(["acquired ann", "released ann"]);
    expect(await shop.leftovers()).toEqual([]);
    const calls = { ...shop.store.calls };
    await shop.clock.advance(60_000);
    expect(shop.store.calls).toEqual(calls);
  });

  test("keeps no process alive.", async () => {
    const shop = await workshop({ maxRetries: 0 });
    shop.store.down();
    followUp(shop.services, shop.request("ann", "/a"));
    await shop.clock.settle();
    // One until nothing can be applied any more, one until the store is asked again.
    expect([shop.clock.pending, shop.clock.pendingInForeground]).toEqual([2, 0]);
  });
});

describe("A store that fails", () => {
  test("is asked again after a pause that doubles, up to ten seconds, until it has answered.", async () => {
    const shop = await workshop({ maxRetries: 0 });
    const request = shop.request("ann", "/a");
    await shop.grant(request);
    shop.store.down();
    giveBack(shop.services, request);
    await shop.clock.advance(35_000);
    const pauses = shop.failedAt.slice(1).map((at, index) => at - (shop.failedAt[index] ?? 0));
    expect(pauses).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
    shop.store.up();
    await shop.clock.advance(10_000);
    expect(await shop.leftovers()).toEqual([]);
    expect(shop.clock.pending).toBe(0);
  });

  test("is told of what was granted as before when it answers at last.", async () => {
    const shop = await workshop({ maxRetries: 0 });
    const request = shop.request("ann", "/a");
    await shop.grant(request);
    shop.listen();
    shop.store.down();
    giveBack(shop.services, request);
    await shop.clock.advance(50);
    shop.store.up();
    await shop.clock.advance(100);
    expect(shop.types).toEqual(["released ann"]);
  });

  test("is not asked again once the manager is closed.", async () => {
    const shop = await workshop({ maxRetries: 0 });
    shop.store.down();
    giveBack(shop.services, shop.request("ann", "/a"));
    await shop.clock.advance(50);
    shop.parts.services.pipeline.close();
    await shop.clock.advance(50);
    expect(shop.clock.pending).toBe(0);
    expect(shop.failedAt).toHaveLength(1);
  });
});

test("A request under ids of its own asks for the same, and goes by its first.", async () => {
  const shop = await workshop();
  const request = shop.request("ann", ["/a", "/b"], { mode: "shared", reason: "to see" });
  const ids = ["x", "y"];
  const anew = renewed(request, () => ids.shift() ?? "");
  expect(anew).toEqual({
    ...request,
    requestId: "x",
    claims: request.claims.map((claim, index) => ({ ...claim, lockId: ["x", "y"][index] })),
  });
});

describe("An event of an acquire as a whole", () => {
  test("tells what was asked for on its first path, and how it was refused.", async () => {
    const shop = await workshop();
    shop.listen();
    const request = shop.request("ann", ["/docs/a", "/b"], { reason: "to see" });
    tellOfAcquire(shop.services, request, "contended", 20);
    tellOfAcquire(shop.services, shop.request("bob", "/b"), "refused", 30, "held");
    await shop.clock.settle();
    const same = { at: new Date(shop.services.storeClock.latest()), mode: "exclusive", scope: "resource" };
    expect(shop.events).toStrictEqual([
      {
        ...same,
        id: 1,
        type: "contended",
        resourcePath: "/docs/a",
        resourceType: "docs",
        agentId: "ann",
        reason: "to see",
      },
      {
        ...same,
        id: 2,
        type: "refused",
        resourcePath: "/b",
        resourceType: "b",
        agentId: "bob",
        waitedMs: 30,
        call: "acquire",
        cause: "held",
      },
    ]);
    expect(shop.counted).toStrictEqual([
      { type: "contended", resourceType: "docs", cause: undefined },
      { type: "refused", resourceType: "b", cause: "held" },
    ]);
  });

  test("is counted only, when nobody reads.", async () => {
    const shop = await workshop();
    tellOfAcquire(shop.services, shop.request("ann", "/a"), "refused", 30, "held");
    expect(shop.counted).toHaveLength(1);
    shop.listen();
    tellOfAcquire(shop.services, shop.request("ann", "/a"), "contended", 0);
    await shop.clock.settle();
    expect(shop.events.map(({ id, type }) => [id, type])).toEqual([[1, "contended"]]);
  });
});
