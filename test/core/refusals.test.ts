/** What a refusal, or whoever gives up, says of those in the way. */
import { describe, expect, test } from "vitest";
import { acquire } from "../../src/core/acquire.js";
import { release } from "../../src/core/release.js";
import { resource, Stage } from "./stage.js";

function readers(stage: Stage, path: string, count: number): void {
  for (let i = 0; i < count; i++) stage.hold(`reader ${i}`, path, { mode: "shared" });
}

describe("a refusal", () => {
  test("names ten in the way at most, of all paths together", () => {
    const stage = new Stage();
    readers(stage, "/a", 12);
    expect(stage.acquire("ann", "/a").reply).toMatchObject({ kind: "held", blockers: { length: 10 } });
    readers(stage, "/b", 7);
    readers(stage, "/c", 7);
    expect(stage.acquire("ann", ["/b", "/c"]).reply).toMatchObject({ blockers: { length: 10 } });
    expect(stage.acquire("ann", "/b").reply).toMatchObject({ blockers: { length: 7 } });
  });

  test("names none of the next path, once ten are in the way on the first", () => {
    const stage = new Stage();
    readers(stage, "/a", 12);
    readers(stage, "/b", 1);
    expect(stage.acquire("ann", ["/a", "/b"]).reply).toMatchObject({ blockers: { length: 10 } });
    const bob = stage.queue("bob", ["/a", "/b"]);
    expect(stage.withdraw(bob)).toMatchObject({ blockers: { length: 10 } });
  });

  test("names a lock once, also when the tree of the root was asked for", () => {
    const stage = new Stage();
    stage.hold("bob", "/");
    stage.hold("bob", "/a");
    expect(stage.acquire("ann", "/", { scope: "tree" }).reply).toMatchObject({
      blockers: [{ path: "/" }, { path: "/a" }],
    });
  });

  test("of a tree names what is below it, but not what is the agent's own", () => {
    const stage = new Stage();
    stage.hold("ann", "/a/1");
    stage.hold("bob", "/a/2");
    expect(stage.acquire("ann", "/a", { scope: "tree" }).reply).toMatchObject({
      blockers: [{ path: "/a/2" }],
    });
  });

  test("for too many locks names the five oldest of the agent, the oldest first", () => {
    const stage = new Stage();
    stage.limits = { ...stage.limits, maxLocksPerAgent: 7 };
    for (const path of ["/g", "/f", "/e", "/d", "/c", "/b"]) {
      stage.hold("ann", path);
      stage.now += 10;
    }
    stage.hold("bob", "/a", { mode: "shared" });
    stage.hold("ann", "/a", { mode: "shared" });
    const { reply } = stage.acquire("ann", "/z");
    if (reply.kind !== "too many locks") throw new Error(`It was ${reply.kind}.`);
    expect(reply.oldest.map(({ path }) => path)).toEqual(["/g", "/f", "/e", "/d", "/c"]);
    stage.limits = { ...stage.limits, maxLocksPerAgent: 1 };
    stage.hold("zoe", "/shared", { mode: "shared" });
    stage.hold("cat", "/shared", { mode: "shared" });
    expect(stage.acquire("cat", "/z").reply).toMatchObject({
      oldest: [{ path: "/shared", holder: { agentId: "cat" } }],
    });
  });

  test("for too many locks does not count what is released in the same change", () => {
    const stage = new Stage();
    stage.limits = { ...stage.limits, maxLocksPerAgent: 2 };
    const ann = stage.hold("ann", "/a");
    stage.hold("ann", "/b");
    const request = stage.request("ann", ["/c", "/d"]);
    const reply = stage.run((view) => {
      release(view, { resource: resource("/a"), agentId: "ann", lockId: ann.claims[0]!.lockId }, 100);
      return acquire(view, request, stage.limits, undefined);
    });
    expect(reply).toMatchObject({ kind: "too many locks", oldest: [{ path: "/b" }] });
  });
});

describe("limits", () => {
  test("that were lowered do not refuse what is held already", () => {
    const stage = new Stage();
    stage.hold("ann", "/a");
    stage.hold("ann", "/b");
    stage.limits = { ...stage.limits, maxLocksPerAgent: 1 };
    expect(stage.acquire("ann", "/a").reply.kind).toBe("granted");
  });

  test("on waiters may be reached", () => {
    const stage = new Stage();
    stage.limits = { ...stage.limits, maxWaitersPerAgent: 3, maxWaitersPerResource: 2 };
    stage.hold("ann", ["/a", "/b", "/c"]);
    stage.queue("bob", "/a");
    stage.queue("bob", ["/b", "/c"]);
    stage.queue("cat", "/a");
    expect(stage.acquire("bob", ["/b"], { waitMs: 1000 }).reply).toEqual({
      kind: "too many waiters",
      of: "agent",
      path: "/b",
      limit: 3,
    });
  });
});

describe("whoever gives up", () => {
  test("is told whom it stood behind, and nobody behind it", () => {
    const stage = new Stage();
    stage.hold("ann", "/plan");
    stage.queue("bob", "/plan");
    const cat = stage.queue("cat", "/plan");
    stage.queue("dan", "/plan");
    expect(stage.withdraw(cat)).toMatchObject({
      blockers: [{ holder: { agentId: "ann" } }, { waiter: { agentId: "bob" } }],
      queueLength: 2,
      rest: false,
    });
  });

  test("is told of ten at most, and of how many still wait, on all its paths", () => {
    const stage = new Stage();
    readers(stage, "/a", 7);
    readers(stage, "/b", 7);
    const bob = stage.queue("bob", ["/a", "/b", "/free"]);
    stage.queue("cat", "/a");
    stage.queue("dan", "/b");
    stage.queue("eve", "/b");
    expect(stage.withdraw(bob)).toMatchObject({ blockers: { length: 10 }, queueLength: 3 });
  });
});
