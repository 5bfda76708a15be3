/** Waiting: whose turn it is, giving up, and what is handed on in the change that frees a path. */
import { describe, expect, test } from "vitest";
import { waitKey } from "../../src/core/keys.js";
import { promote, retire } from "../../src/core/promote.js";
import { release } from "../../src/core/release.js";
import { resource, Stage } from "./stage.js";

describe("a release serves the next in the same change", () => {
  test("the first in the queue, and only that one, when it is exclusive", () => {
    const stage = new Stage();
    const ann = stage.hold("ann", "/plan");
    stage.queue("bob", "/plan");
    stage.queue("cat", "/plan");
    expect(stage.release(ann)).toMatchObject({ promoted: [{ requestId: "r2" }] });
    expect(stage.held("/plan")).toEqual(["bob 4"]);
    expect(stage.waiting("/plan")).toEqual(["cat"]);
    // Nobody else can have a turn, so nobody is woken.
    expect(stage.announced).toEqual([]);
  });

  test("also below paths that others hold, or wait for, alone", () => {
    const stage = new Stage();
    stage.hold("zoe", ["/a", "/a/b"]);
    stage.queue("yan", "/a");
    const ann = stage.hold("ann", "/a/b/c");
    stage.queue("bob", "/a/b/c", { waitMs: 60_000 });
    stage.release(ann);
    expect(stage.held("/a/b/c")[0]).toMatch(/^bob/);
    expect(stage.announced).toEqual([]);
  });

  test("all readers up to the next writer", () => {
    const stage = new Stage();
    const ann = stage.hold("ann", "/plan");
    stage.queue("bob", "/plan", { mode: "shared" });
    stage.queue("cat", "/plan", { mode: "shared" });
    stage.queue("dan", "/plan");
    stage.queue("eve", "/plan", { mode: "shared" });
    stage.release(ann);
    expect(stage.held("/plan")).toEqual(["bob shared 6", "cat shared 6"]);
    expect(stage.waiting("/plan")).toEqual(["dan", "eve"]);
  });

  test("a few at most; the others are told and follow by themselves", () => {
    const stage = new Stage();
    const ann = stage.hold("ann", "/plan");
    const readers = Array.from({ length: 20 }, (_, i) =>
      stage.queue(`reader ${i}`, "/plan", { mode: "shared" }),
    );
    stage.release(ann);
    expect(stage.held("/plan")).toHaveLength(16);
    expect(stage.announced).toEqual(["/plan"]);
    for (const reader of readers.slice(16)) expect(stage.promote(reader).kind).toBe("granted");
    expect(stage.waiting("/plan")).toEqual([]);
  });

  test("just as many as may be served, so that nobody is left to be told", () => {
    const stage = new Stage();
    const ann = stage.hold("ann", "/plan");
    for (let i = 0; i < 16; i++) stage.queue(`reader ${i}`, "/plan", { mode: "shared" });
    stage.release(ann);
    expect(stage.held("/plan")).toHaveLength(16);
    expect(stage.announced).toEqual([]);
  });

  test("stepping over those who left from the middle", () => {
    const stage = new Stage();
    const ann = stage.hold("ann", "/plan");
    const bob = stage.queue("bob", "/plan");
    const cat = stage.queue("cat", "/plan");
    stage.queue("dan", "/plan");
    stage.withdraw(cat);
    stage.withdraw(bob);
    stage.release(ann);
    expect(stage.held("/plan")[0]).toMatch(/^dan/);
  });
});

describe("a release only tells", () => {
  test.each([
    ["a waiter of another manager", (stage: Stage) => stage.as("m2", () => stage.queue("bob", "/plan"))],
    ["a waiter of several paths", (stage: Stage) => stage.queue("bob", ["/plan", "/other"])],
    ["a waiter of a tree", (stage: Stage) => stage.queue("bob", "/plan", { scope: "tree" })],
  ])("%s, who then promotes itself", (_who, wait) => {
    const stage = new Stage();
    const ann = stage.hold("ann", "/plan");
    const bob = wait(stage);
    stage.release(ann);
    expect(stage.held("/plan")).toEqual([]);
    expect(stage.announced).toContain("/plan");
    expect(stage.promote(bob).kind).toBe("granted");
  });

  test("a waiter whose time is up, or may be", () => {
    const stage = new Stage();
    const ann = stage.hold("ann", "/plan");
    const bob = stage.queue("bob", "/plan", { waitMs: 1000 });
    stage.now += 900;
    stage.uncertainty = 100;
    stage.release(ann);
    expect(stage.held("/plan")).toEqual([]);
    expect(stage.announced).toEqual(["/plan"]);
    expect(stage.promote(bob).kind).toBe("granted");
  });

  test("a waiter of an agent that holds the path already", () => {
    const stage = new Stage();
    const ann = stage.hold("ann", "/plan");
    stage.queue("bob", "/plan", { mode: "shared" });
    const again = stage.queue("bob", "/plan", { mode: "shared" });
    stage.release(ann);
    expect(stage.held("/plan")).toEqual(["bob shared 4"]);
    expect(stage.announced).toEqual(["/plan"]);
    expect(stage.promote(again)).toMatchObject({ kind: "granted", granted: [{ holder: { lockId: "L2" } }] });
  });

  test("a waiter that stands behind a tree above", () => {
    const stage = new Stage();
    const ann = stage.hold("ann", "/a/b");
    const bob = stage.queue("bob", "/a", { scope: "tree" });
    const cat = stage.queue("cat", "/a/b");
    stage.release(ann);
    expect(stage.held("/a/b")).toEqual([]);
    expect(stage.announced).toContain("/a/b");
    expect(stage.promote(cat)).toEqual({ kind: "waiting", until: Infinity });
    expect(stage.promote(bob).kind).toBe("granted");
  });

  test("a waiter that a tree above is in the way of", () => {
    const stage = new Stage();
    stage.hold("ann", "/a", { scope: "tree" });
    const below = stage.hold("ann", "/a/b");
    const bob = stage.queue("bob", "/a/b");
    stage.release(below);
    expect(stage.held("/a/b")).toEqual([]);
    expect(stage.announced).toEqual(["/a/b"]);
    expect(stage.promote(bob)).toEqual({ kind: "waiting", until: stage.now + 30_000 });
  });

  test("when the head of the queue is not known", () => {
    const stage = new Stage();
    const ann = stage.hold("ann", "/plan");
    stage.queue("bob", "/plan");
    const name = { resource: resource("/plan"), agentId: "ann", lockId: ann.claims[0]!.lockId };
    stage.run((view) => release(view, name, 100), new Set([waitKey("/plan", 1)]));
    expect(stage.held("/plan")).toEqual([]);
    expect(stage.announced).toEqual(["/plan"]);
  });

  test("a tree that waits above", () => {
    const stage = new Stage();
    const ann = stage.hold("ann", "/a/b/c");
    const bob = stage.queue("bob", "/a", { scope: "tree" });
    stage.release(ann);
    expect(stage.announced).toContain("/a/b/c");
    expect(stage.promote(bob).kind).toBe("granted");
  });

  test("those who wait below a tree", () => {
    const stage = new Stage();
    const ann = stage.hold("ann", "/a", { scope: "tree" });
    const bob = stage.queue("bob", "/a/b");
    stage.release(ann);
    expect(stage.announced).toEqual(["/a"]);
    expect(stage.promote(bob).kind).toBe("granted");
  });
});

describe("a waiter", () => {
  test("waits until its turn, knowing when the lock in its way expires", () => {
    const stage = new Stage();
    stage.hold("ann", "/plan", { ttlMs: 30_000 });
    const bob = stage.queue("bob", "/plan");
    const cat = stage.queue("cat", "/plan");
    expect(stage.promote(bob)).toEqual({ kind: "waiting", until: stage.now + 30_000 });
    stage.now += 30_000;
    expect(stage.promote(cat)).toEqual({ kind: "waiting", until: Infinity });
    expect(stage.promote(bob).kind).toBe("granted");
    expect(stage.held("/plan")[0]).toMatch(/^bob/);
    expect(stage.happened().slice(-2)).toEqual(["ann expired /plan", "bob acquired /plan"]);
    expect(stage.happened()).not.toContain("bob dequeued /plan");
    expect(stage.announced).toEqual([]);
  });

  test("behind several locks looks again when the first of them expires", () => {
    const stage = new Stage();
    stage.hold("ann", "/plan", { mode: "shared", ttlMs: 60_000 });
    stage.hold("bob", "/plan", { mode: "shared", ttlMs: 30_000 });
    const cat = stage.queue("cat", "/plan");
    expect(stage.promote(cat)).toEqual({ kind: "waiting", until: stage.now + 30_000 });
  });

  test("whose place is gone has no turn, though its number is another's now", () => {
    const stage = new Stage();
    const ann = stage.hold("ann", "/plan");
    const bob = stage.queue("bob", "/plan");
    stage.withdraw(bob);
    const cat = stage.queue("cat", "/plan");
    expect(cat.places).toEqual(bob.places);
    stage.release(ann);
    expect(stage.promote(bob)).toEqual({ kind: "gone" });
    expect(stage.withdraw(bob)).toEqual({ kind: "gone", blockers: [], queueLength: 0, rest: true });
    expect(stage.held("/plan")[0]).toMatch(/^cat/);
    const dan = stage.queue("dan", "/plan");
    expect(dan.places).toEqual(bob.places);
    expect([stage.promote(bob), stage.withdraw(bob).kind]).toEqual([{ kind: "gone" }, "gone"]);
    expect(stage.waiting("/plan")).toEqual(["dan"]);
  });

  test("at its limit leaves the queue, and the next is served", () => {
    const stage = new Stage();
    stage.limits = { ...stage.limits, maxLocksPerAgent: 1 };
    const ann = stage.hold("ann", "/plan");
    const bob = stage.queue("bob", "/plan");
    const cat = stage.queue("cat", "/plan");
    stage.hold("bob", "/elsewhere");
    stage.release(ann);
    expect(stage.promote(bob)).toMatchObject({ kind: "too many locks", limit: 1 });
    expect(stage.announced).toContain("/plan");
    expect(stage.promote(cat).kind).toBe("granted");
  });

  test("whose turn it is behind a number that was left lets the queue begin behind itself", () => {
    const stage = new Stage();
    const ann = stage.hold("ann", "/plan");
    const bob = stage.as("m2", () => stage.queue("bob", "/plan"));
    const cat = stage.queue("cat", "/plan");
    const dan = stage.queue("dan", "/plan");
    stage.queue("eve", "/plan");
    stage.withdraw(cat);
    stage.release(ann);
    stage.release(stage.as("m2", () => stage.promoted(bob)));
    stage.promoted(dan);
    expect(stage.view().lock("/plan")?.queue).toMatchObject({ head: 4, waiting: 1 });
  });

  test("whose turn it is behind one of a dead manager takes that one out of the queue", () => {
    const stage = new Stage();
    const ann = stage.hold("ann", "/plan");
    stage.as("m2", () => stage.queue("bob", "/plan"), stage.now + 1_000);
    const cat = stage.queue("cat", "/plan");
    stage.queue("dan", "/plan");
    stage.now += 1_000;
    stage.release(ann);
    stage.promoted(cat);
    expect(stage.waiting("/plan")).toEqual(["dan"]);
    expect(stage.view().lock("/plan")?.queue).toMatchObject({ head: 3, waiting: 1 });
    expect(stage.counts("bob")).toEqual({ locks: 0, waits: 0 });
    expect(stage.happened()).toContain("bob dequeued /plan");
  });

  test("that shares, and goes past another that shares, leaves the queue to begin with that one", () => {
    const stage = new Stage();
    const ann = stage.hold("ann", "/plan");
    stage.as("m2", () => stage.queue("bob", "/plan", { mode: "shared" }));
    const cat = stage.queue("cat", "/plan", { mode: "shared" });
    stage.queue("dan", "/plan");
    stage.release(ann);
    stage.promoted(cat);
    expect(stage.view().lock("/plan")?.queue).toMatchObject({ head: 1, waiting: 2 });
  });

  test("of an agent that got the path meanwhile has the same lock", () => {
    const stage = new Stage();
    const ann = stage.hold("ann", "/plan");
    stage.queue("bob", "/plan");
    const again = stage.queue("bob", "/plan");
    stage.release(ann);
    expect(stage.promote(again)).toMatchObject({ kind: "granted", granted: [{ holder: { lockId: "L2" } }] });
    expect(stage.counts("bob")).toEqual({ locks: 1, waits: 0 });
  });

  test("of an agent that got the path in another mode meanwhile is refused", () => {
    const stage = new Stage();
    const ann = stage.hold("ann", "/plan");
    stage.queue("bob", "/plan");
    const again = stage.queue("bob", "/plan", { mode: "shared" });
    stage.release(ann);
    expect(stage.promote(again).kind).toBe("mismatch");
    expect(stage.waiting("/plan")).toEqual([]);
  });

  test("that gives up leaves nothing, and those behind are told", () => {
    const stage = new Stage();
    stage.hold("ann", ["/a", "/b"]);
    const bob = stage.queue("bob", ["/a", "/b"]);
    expect(stage.withdraw(bob)).toMatchObject({ kind: "gone", blockers: [{ path: "/a" }, { path: "/b" }] });
    expect([stage.waiting("/a"), stage.waiting("/b")]).toEqual([[], []]);
    expect(stage.counts("bob")).toEqual({ locks: 0, waits: 0 });
    expect(stage.announced).toEqual(["/a", "/b"]);
    expect(stage.happened().slice(-2)).toEqual(["bob dequeued /a", "bob dequeued /b"]);
  });

  test("that gives up too late has the lock", () => {
    const stage = new Stage();
    const ann = stage.hold("ann", "/plan");
    const bob = stage.queue("bob", "/plan");
    stage.release(ann);
    expect(stage.withdraw(bob)).toMatchObject({ kind: "granted", granted: [{ holder: { lockId: "L2" } }] });
  });

  test("of several paths holds its place on every one of them", () => {
    const stage = new Stage();
    const a = stage.hold("ann", "/a");
    stage.hold("ann", "/b");
    const bob = stage.queue("bob", ["/a", "/b"]);
    stage.release(a);
    expect(stage.acquire("cat", "/a").reply.kind).toBe("held");
    expect(stage.promote(bob).kind).toBe("waiting");
  });
});

describe("what became of a request whose reply was lost", () => {
  test("it was granted, also when one of its paths keeps an older lock", () => {
    const stage = new Stage();
    stage.hold("bob", "/a");
    const b = stage.hold("ann", "/b");
    const bob = stage.queue("bob", ["/a", "/b"]);
    stage.release(b);
    expect(stage.promote(bob).kind).toBe("granted");
    const again = {
      kind: "granted",
      granted: [{ holder: { lockId: "L1" } }, { holder: { lockId: "L3.2" } }],
    };
    expect(stage.run((view) => promote(view, bob.request, bob.places, stage.limits))).toMatchObject(again);
    expect(stage.withdraw(bob)).toMatchObject(again);
  });

  test("it was swept in part: the rest leaves as well", () => {
    const stage = new Stage();
    stage.hold("ann", ["/a", "/b"]);
    const bob = stage.queue("bob", ["/a", "/b"], { waitMs: 1000 });
    stage.now += 1000;
    stage.as("m2", () => stage.expire("/a", "sweep"));
    expect([stage.waiting("/a"), stage.waiting("/b")]).toEqual([[], ["bob"]]);
    expect(stage.withdraw(bob).kind).toBe("gone");
    expect(stage.waiting("/b")).toEqual([]);
    expect(stage.counts("bob")).toEqual({ locks: 0, waits: 0 });
  });

  test("nobody wants it any more: its locks are handed on, its places given up, and nothing else", () => {
    const stage = new Stage();
    const ann = stage.hold("ann", "/plan");
    stage.queue("bob", "/plan");
    expect(stage.run((view) => retire(view, ann, true, 100))).toMatchObject([{ requestId: "r2" }]);
    expect(stage.run((view) => retire(view, ann, true, 100))).toEqual([]);
    const cat = stage.queue("cat", "/plan");
    stage.run((view) => retire(view, cat.request, true, 100));
    expect(stage.waiting("/plan")).toEqual([]);
    expect(stage.held("/plan")[0]).toMatch(/^bob/);
  });

  test("a grant that nobody was told of is told when it is taken back, so that every end has a beginning", () => {
    const stage = new Stage();
    const ann = stage.hold("ann", "/plan");
    stage.told.length = 0;
    stage.run((view) => retire(view, ann, false, 100));
    expect(stage.happened()).toEqual(["ann acquired /plan", "ann released /plan"]);
    expect(stage.told.map((one) => one.token)).toEqual([1, 1]);
  });
});
