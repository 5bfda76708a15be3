import { describe, expect, test } from "vitest";
import { acquire, resume } from "../../src/core/acquire.js";
import { resource, Stage } from "./stage.js";

describe("a free path", () => {
  test("is granted at once, until now + ttl", () => {
    const stage = new Stage();
    const { reply } = stage.acquire("ann", "/plan", { ttlMs: 30_000 });
    expect(reply).toMatchObject({ kind: "granted", granted: [{ path: "/plan", holder: { lockId: "L1" } }] });
    expect(stage.told[0]).toMatchObject({ type: "acquired", token: 1, heldMs: undefined });
    expect(stage.holders("/plan")).toEqual([
      {
        lockId: "L1",
        agentId: "ann",
        mode: "exclusive",
        scope: "resource",
        token: 0,
        acquiredAt: stage.now,
        expiresAt: stage.now + 30_000,
        ttlMs: 30_000,
      },
    ]);
    expect(stage.counts("ann")).toEqual({ locks: 1, waits: 0 });
  });

  test("counts the ttl from the latest that it may be", () => {
    const stage = new Stage();
    stage.uncertainty = 20;
    stage.hold("ann", "/plan", { ttlMs: 1000 });
    expect(stage.holders("/plan")[0]).toMatchObject({
      acquiredAt: stage.now + 20,
      expiresAt: stage.now + 1020,
    });
  });

  test("may not be granted after the lock would have expired", () => {
    const stage = new Stage();
    const view = stage.view();
    acquire(view, stage.request("ann", "/plan", { ttlMs: 1000 }), stage.limits, undefined);
    expect(view.notAfter).toBe(stage.now + 1000);
  });
});

describe("a token", () => {
  test("is 0 in the entry that was just written, which says: the revision that carries me", () => {
    const stage = new Stage();
    stage.hold("ann", "/plan", { mode: "shared" });
    expect(stage.holders("/plan").map((holder) => holder.token)).toEqual([0]);
    expect(stage.held("/plan")).toEqual(["ann shared 1"]);
  });

  test("is written out by whoever rewrites the entry", () => {
    const stage = new Stage();
    stage.hold("ann", "/plan", { mode: "shared" });
    stage.hold("bob", "/plan", { mode: "shared" });
    expect(stage.holders("/plan").map((holder) => holder.token)).toEqual([1, 0]);
    stage.queue("cat", "/plan");
    expect(stage.holders("/plan").map((holder) => holder.token)).toEqual([1, 2]);
    expect(stage.held("/plan")).toEqual(["ann shared 1", "bob shared 2"]);
  });

  test("rises with every later lock", () => {
    const stage = new Stage();
    stage.release(stage.hold("ann", "/plan"));
    stage.hold("bob", "/plan");
    expect(stage.held("/plan")).toEqual(["bob 3"]);
  });
});

describe("a path that another agent holds", () => {
  test("is refused to whoever does not wait, and names the holder", () => {
    const stage = new Stage();
    stage.hold("ann", "/plan");
    const { reply } = stage.acquire("bob", "/plan");
    expect(reply).toMatchObject({
      kind: "held",
      blockers: [{ standing: "holder", path: "/plan", holder: { agentId: "ann" } }],
      queueLength: 0,
    });
    expect(stage.counts("bob")).toEqual({ locks: 0, waits: 0 });
  });

  test("queues whoever waits, and says when to look again", () => {
    const stage = new Stage();
    stage.hold("ann", "/plan", { ttlMs: 30_000 });
    const { reply } = stage.acquire("bob", "/plan", { waitMs: 5000 });
    expect(reply).toEqual({ kind: "queued", places: [1], until: stage.now + 30_000, entangled: false });
    expect(stage.waiting("/plan")).toEqual(["bob"]);
    expect(stage.counts("bob")).toEqual({ locks: 0, waits: 1 });
  });

  test("is shared by those who read", () => {
    const stage = new Stage();
    stage.hold("ann", "/plan", { mode: "shared" });
    stage.hold("bob", "/plan", { mode: "shared" });
    expect(stage.acquire("cat", "/plan").reply.kind).toBe("held");
  });
});

describe("a newcomer waits behind those who wait", () => {
  test("a reader does not overtake a waiting writer", () => {
    const stage = new Stage();
    stage.hold("ann", "/plan", { mode: "shared" });
    stage.queue("bob", "/plan");
    stage.queue("cat", "/plan", { mode: "shared" });
    expect(stage.waiting("/plan")).toEqual(["bob", "cat"]);
  });

  test("a refusal names the waiter who is ahead on a free path", () => {
    const stage = new Stage();
    stage.hold("ann", "/other");
    stage.queue("bob", ["/other", "/plan"]);
    expect(stage.acquire("cat", "/plan").reply).toMatchObject({
      kind: "held",
      blockers: [{ standing: "waiter", path: "/plan", waiter: { agentId: "bob" } }],
      queueLength: 1,
    });
  });

  test("a waiter whose manager is dead stands in nobody's way", () => {
    const stage = new Stage();
    stage.hold("ann", "/other");
    stage.as("m2", () => stage.queue("bob", ["/other", "/plan"]), stage.now - 1);
    expect(stage.acquire("cat", "/plan").reply.kind).toBe("granted");
  });

  test("whoever queues blindly may stand behind a dead waiter, and has its turn when it looks", () => {
    const stage = new Stage();
    stage.hold("ann", "/other");
    stage.as("m2", () => stage.queue("bob", ["/other", "/plan"]), stage.now - 1);
    const [request, wait] = [stage.request("cat", "/plan"), { until: null, blindly: true }];
    const reply = stage.run((view) => acquire(view, request, stage.limits, wait));
    expect(reply).toMatchObject({ kind: "queued", places: [2], until: -Infinity });
    expect(stage.promote({ request, places: [2] }).kind).toBe("granted");
  });

  test("a reader never queues blindly, for those before it may be readers, too", () => {
    const stage = new Stage();
    stage.hold("ann", "/other");
    stage.queue("bob", ["/other", "/plan"], { mode: "shared" });
    const request = stage.request("cat", "/plan", { mode: "shared" });
    const wait = { until: null, blindly: true };
    expect(stage.run((view) => acquire(view, request, stage.limits, wait)).kind).toBe("granted");
  });

  test("a waiter whose time is up stands in nobody's way", () => {
    const stage = new Stage();
    stage.hold("ann", "/other");
    stage.queue("bob", ["/other", "/plan"], { waitMs: 1000 });
    stage.now += 1000;
    expect(stage.acquire("cat", "/plan").reply.kind).toBe("granted");
  });

  test("an agent does not queue behind a waiter that waits for a lock of its own", () => {
    const stage = new Stage();
    stage.hold("ann", "/other");
    stage.queue("bob", ["/other", "/plan"]);
    expect(stage.acquire("ann", "/plan").reply.kind).toBe("granted");
  });

  test("a queue longer than a page hides nobody", () => {
    const stage = new Stage();
    stage.hold("ann", "/other");
    stage.hold("ann", "/plan", { mode: "shared" });
    for (let i = 0; i < 120; i++) stage.queue(`reader ${i}`, ["/plan", "/other"], { mode: "shared" });
    stage.queue("writer", "/plan");
    expect(stage.acquire("late reader", "/plan", { mode: "shared" }).reply).toMatchObject({
      kind: "held",
      blockers: [{ waiter: { agentId: "writer" } }],
      queueLength: 121,
    });
  });
});

describe("trees", () => {
  test("a tree is not granted above a lock, and a lock not below a tree", () => {
    const stage = new Stage();
    const below = stage.hold("ann", "/repo/src/a");
    expect(stage.acquire("bob", "/repo", { scope: "tree" }).reply.kind).toBe("held");
    stage.release(below);
    stage.hold("bob", "/repo", { scope: "tree" });
    expect(stage.acquire("ann", "/repo/src/a").reply.kind).toBe("held");
    expect(stage.acquire("ann", "/repository").reply.kind).toBe("granted");
  });

  test("the tree of the root is everything", () => {
    const stage = new Stage();
    const one = stage.hold("ann", "/a/b");
    expect(stage.acquire("bob", "/", { scope: "tree" }).reply.kind).toBe("held");
    stage.release(one);
    stage.hold("bob", "/", { scope: "tree" });
    expect(stage.acquire("ann", "/a/b").reply.kind).toBe("held");
    expect(stage.acquire("ann", "/").reply.kind).toBe("held");
  });

  test("a newcomer waits behind a tree that waits above it, and a tree behind what waits below", () => {
    const stage = new Stage();
    stage.hold("ann", "/a/b");
    stage.queue("bob", "/a", { scope: "tree" });
    expect(stage.acquire("cat", "/a/c").reply).toMatchObject({ blockers: [{ waiter: { agentId: "bob" } }] });

    const other = new Stage();
    other.hold("ann", "/x");
    other.queue("bob", ["/a/b", "/x"]);
    expect(other.acquire("cat", "/a", { scope: "tree" }).reply).toMatchObject({
      blockers: [{ path: "/a/b", waiter: { agentId: "bob" } }],
    });
  });

  test("one agent may hold a tree and something in it", () => {
    const stage = new Stage();
    stage.hold("ann", "/a", { scope: "tree" });
    stage.hold("ann", "/a/b");
    expect(stage.counts("ann").locks).toBe(2);
  });
});

describe("what the agent already holds", () => {
  test("is the same lock with the same token, and lives at least as long", () => {
    const stage = new Stage();
    stage.hold("ann", "/plan", { ttlMs: 60_000 });
    stage.now += 10_000;
    const again = stage.acquire("ann", "/plan", { ttlMs: 30_000 });
    expect(again.reply).toMatchObject({ granted: [{ holder: { lockId: "L1", token: 1 } }] });
    expect(stage.holders("/plan")[0]?.expiresAt).toBe(stage.now + 50_000);
    stage.hold("ann", "/plan", { ttlMs: 90_000 });
    expect(stage.holders("/plan")[0]?.expiresAt).toBe(stage.now + 90_000);
    expect(stage.held("/plan")).toEqual(["ann 1"]);
    expect(stage.counts("ann").locks).toBe(1);
  });

  test("is not waited for, even when others wait for it", () => {
    const stage = new Stage();
    stage.hold("ann", "/plan");
    stage.queue("bob", "/plan");
    expect(stage.acquire("ann", "/plan").reply.kind).toBe("granted");
  });

  test("is refused in a second mode or scope", () => {
    const stage = new Stage();
    stage.hold("ann", "/plan");
    expect(stage.acquire("ann", "/plan", { mode: "shared" }).reply.kind).toBe("mismatch");
    expect(stage.acquire("ann", "/plan", { scope: "tree" }).reply).toMatchObject({
      kind: "mismatch",
      path: "/plan",
      holder: { lockId: "L1" },
    });
  });

  test("is a new lock with a new token once it has expired", () => {
    const stage = new Stage();
    stage.hold("ann", "/plan", { ttlMs: 1000 });
    stage.now += 1000;
    stage.hold("ann", "/plan", { mode: "shared" });
    expect(stage.held("/plan")).toEqual(["ann shared 2"]);
    expect(stage.counts("ann").locks).toBe(1);
    expect(stage.happened()).toEqual(["ann acquired /plan", "ann expired /plan", "ann acquired /plan"]);
  });
});

describe("time decides by its safe side", () => {
  test("a lock that may have expired is not taken over, one that has is", () => {
    const stage = new Stage();
    stage.hold("ann", "/plan", { ttlMs: 1000 });
    stage.uncertainty = 50;
    stage.now += 1049;
    expect(stage.acquire("bob", "/plan").reply.kind).toBe("held");
    stage.now += 1;
    expect(stage.acquire("bob", "/plan").reply.kind).toBe("granted");
    expect(stage.happened().slice(1)).toEqual(["ann expired /plan", "bob acquired /plan"]);
  });

  test("a lock that may have expired is prolonged only if the change arrives before its expiry", () => {
    const stage = new Stage();
    stage.hold("ann", "/plan", { ttlMs: 1000 });
    const expiresAt = stage.now + 1000;
    stage.uncertainty = 50;
    stage.now += 1010;
    const view = stage.view();
    acquire(view, stage.request("ann", "/plan"), stage.limits, undefined);
    expect(view.notAfter).toBe(expiresAt);
    expect(stage.entries.apply(view, stage.now)).toBeUndefined();
  });
});

describe("several paths at once", () => {
  test("are granted together, or not at all", () => {
    const stage = new Stage();
    const b = stage.hold("ann", "/b");
    expect(stage.acquire("bob", ["/a", "/b", "/c"]).reply.kind).toBe("held");
    expect(stage.held("/a")).toEqual([]);
    stage.release(b);
    stage.hold("bob", ["/a", "/b", "/c"]);
    expect(["/a", "/b", "/c"].flatMap((path) => stage.held(path))).toEqual(["bob 3", "bob 3", "bob 3"]);
  });

  test("hold a place in every queue, also where the agent holds already", () => {
    const stage = new Stage();
    stage.hold("bob", "/a");
    stage.hold("ann", "/b");
    stage.queue("bob", ["/a", "/b"]);
    expect([stage.waiting("/a"), stage.waiting("/b")]).toEqual([["bob"], ["bob"]]);
    expect(stage.counts("bob")).toEqual({ locks: 1, waits: 2 });
  });
});

describe("limits", () => {
  test("on locks count those in force, not those that expired unnoticed", () => {
    const stage = new Stage();
    stage.limits = { ...stage.limits, maxLocksPerAgent: 2 };
    stage.hold("ann", "/a", { ttlMs: 1000 });
    stage.now += 1;
    stage.hold("ann", "/b", { ttlMs: 60_000 });
    expect(stage.acquire("ann", "/c").reply).toMatchObject({
      kind: "too many locks",
      limit: 2,
      oldest: [{ path: "/a" }, { path: "/b" }],
    });
    stage.now += 1000;
    stage.hold("ann", "/c");
    expect(stage.counts("ann").locks).toBe(2);
    expect(stage.told.at(-2)).toMatchObject({ type: "expired", path: "/a", token: 1 });
  });

  test("count the paths of one request together", () => {
    const stage = new Stage();
    stage.limits = { ...stage.limits, maxLocksPerAgent: 2 };
    expect(stage.acquire("ann", ["/a", "/b", "/c"]).reply.kind).toBe("too many locks");
    stage.hold("ann", ["/a", "/b"]);
  });

  test("do not count what is held already", () => {
    const stage = new Stage();
    stage.limits = { ...stage.limits, maxLocksPerAgent: 1 };
    stage.hold("ann", "/a");
    expect(stage.acquire("ann", "/a").reply.kind).toBe("granted");
  });

  test("on waiters refuse the one too many, by resource and by agent", () => {
    const stage = new Stage();
    stage.limits = { ...stage.limits, maxWaitersPerResource: 1, maxWaitersPerAgent: 2 };
    stage.hold("ann", ["/a", "/b", "/c"]);
    stage.queue("bob", "/a");
    expect(stage.acquire("cat", "/a", { waitMs: 1000 }).reply).toEqual({
      kind: "too many waiters",
      of: "resource",
      path: "/a",
      limit: 1,
    });
    expect(stage.acquire("bob", ["/b", "/c"], { waitMs: 1000 }).reply).toMatchObject({
      kind: "too many waiters",
      of: "agent",
      limit: 2,
    });
    expect(stage.counts("cat")).toEqual({ locks: 0, waits: 0 });
  });
});

describe("after a lost reply", () => {
  test("the same acquire finds its own lock and changes nothing", () => {
    const stage = new Stage();
    const request = stage.hold("ann", "/plan");
    const view = stage.view();
    const reply = resume(view, request);
    expect(reply).toMatchObject({ kind: "granted", granted: [{ holder: { lockId: "L1", token: 1 } }] });
    expect(view.written.size).toBe(0);
  });

  test("the same acquire finds its place in the queue", () => {
    const stage = new Stage();
    stage.hold("ann", ["/a", "/b"]);
    const { request, places } = stage.queue("bob", ["/a", "/b"]);
    const found = { kind: "queued", places, until: -Infinity, entangled: true };
    expect(resume(stage.view(), request)).toEqual(found);
    expect(resume(stage.view(), stage.request("bob", "/a"))).toEqual({ kind: "nothing left" });
  });

  test("the same acquire takes a part of its locks for none of them", () => {
    const stage = new Stage();
    const request = stage.hold("ann", ["/a", "/b"]);
    expect(resume(stage.view(), request)).toMatchObject({ kind: "granted" });
    stage.revoke("/b");
    const view = stage.view();
    expect(resume(view, request)).toEqual({ kind: "nothing left" });
    expect(view.written.size).toBe(0);
  });
});

test("a plan over the past does not apply once somebody else took the path", () => {
  const stage = new Stage();
  const past = stage.view();
  acquire(past, stage.request("ann", "/a", { scope: "tree" }), stage.limits, undefined);
  stage.hold("bob", "/a/b");
  expect(stage.entries.apply(past, stage.now)).toBeUndefined();
  expect(resource("/a/b").ancestors).toEqual(["/a", "/"]);
});
