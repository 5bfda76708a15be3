import { describe, expect, test } from "vitest";
import { Stage } from "./stage.js";

describe("a cycle is seen by whoever closes it", () => {
  test("two agents that want each other's lock", () => {
    const stage = new Stage();
    stage.hold("ann", "/a");
    stage.hold("bob", "/b");
    const ann = stage.queue("ann", "/b");
    expect(stage.cycle(ann)).toBeUndefined();
    const bob = stage.queue("bob", "/a");
    expect(stage.cycle(bob)).toEqual([
      { agentId: "bob", waitsFor: "/a", blockedBy: "ann" },
      { agentId: "ann", waitsFor: "/b", blockedBy: "bob" },
    ]);
    // Only the youngest of a cycle sees it, so only one is refused.
    expect(stage.cycle(ann)).toBeUndefined();
  });

  test("three in a ring, by way of a tree", () => {
    const stage = new Stage();
    stage.hold("ann", "/a/1");
    stage.hold("bob", "/b");
    stage.hold("cat", "/c");
    stage.queue("ann", "/b");
    stage.queue("bob", "/c");
    const cat = stage.queue("cat", "/a", { scope: "tree" });
    expect(stage.cycle(cat)?.map((edge) => `${edge.agentId} ${edge.waitsFor}`)).toEqual([
      "cat /a",
      "ann /b",
      "bob /c",
    ]);
  });

  test("through a waiter that is ahead", () => {
    const stage = new Stage();
    stage.hold("ann", "/a");
    stage.hold("cat", "/c");
    stage.queue("bob", ["/a", "/b"]);
    stage.queue("cat", "/b");
    // Ann waits for cat, who is behind bob, who waits for ann.
    const ann = stage.queue("ann", "/c");
    expect(stage.cycle(ann)?.map((edge) => edge.agentId)).toEqual(["ann", "cat", "bob"]);
  });
});

describe("there is no cycle", () => {
  test("by way of another call of the same agent that only waits", () => {
    const stage = new Stage();
    stage.hold("zoe", "/p");
    stage.hold("ann", "/own");
    stage.queue("ann", "/p");
    stage.queue("bob", ["/p", "/q"]);
    // Ann stands behind bob, who stands behind a call of hers; but that one waits for zoe alone.
    expect(stage.cycle(stage.queue("ann", "/q"))).toBeUndefined();
  });

  test("by way of another call of whoever waits ahead", () => {
    const stage = new Stage();
    stage.hold("zoe", "/q");
    stage.hold("ann", "/a");
    stage.queue("bob", "/q");
    stage.queue("bob", "/a");
    expect(stage.cycle(stage.queue("ann", "/q"))).toBeUndefined();
  });

  test("by way of somebody who waits behind", () => {
    const stage = new Stage();
    stage.hold("zoe", "/q");
    stage.hold("ann", "/a");
    stage.hold("bob", "/b");
    stage.queue("bob", "/q");
    stage.queue("cat", ["/q", "/a"]);
    expect(stage.cycle(stage.queue("ann", "/b"))).toBeUndefined();
  });

  test("for whoever only waits behind one", () => {
    const stage = new Stage();
    stage.hold("ann", "/a");
    stage.hold("bob", "/b");
    stage.queue("ann", "/b");
    stage.queue("bob", "/a");
    stage.hold("cat", "/c");
    expect(stage.cycle(stage.queue("cat", "/a"))).toBeUndefined();
  });

  test("through a request that was swept in part", () => {
    const stage = new Stage();
    stage.hold("ann", ["/a", "/b"]);
    stage.hold("bob", "/c");
    stage.queue("ann", "/c");
    const bob = stage.queue("bob", ["/a", "/b"], { waitMs: 1000 });
    stage.now += 1000;
    stage.as("m2", () => stage.expire("/a", "sweep"));
    expect(stage.waiting("/b")).toEqual(["bob"]);
    expect(stage.cycle(bob)).toBeUndefined();
  });

  test("when those in the way wait for nothing", () => {
    const stage = new Stage();
    stage.hold("ann", "/a");
    stage.hold("bob", "/b");
    expect(stage.cycle(stage.queue("bob", "/a"))).toBeUndefined();
  });

  test("among requests that hold nothing, however they cross", () => {
    const stage = new Stage();
    stage.hold("ann", ["/a", "/b"]);
    const bob = stage.queue("bob", ["/a", "/b"]);
    const cat = stage.queue("cat", ["/b", "/a"]);
    expect([stage.cycle(bob), stage.cycle(cat)]).toEqual([undefined, undefined]);
  });

  test("through somebody whose manager is dead", () => {
    const stage = new Stage();
    stage.hold("ann", "/a");
    stage.hold("bob", "/b");
    stage.as("m2", () => stage.queue("bob", "/a"), stage.now);
    expect(stage.cycle(stage.queue("ann", "/b"))).toBeUndefined();
  });

  test("through somebody whose time is up", () => {
    const stage = new Stage();
    stage.hold("ann", "/a");
    stage.hold("bob", "/b");
    stage.queue("bob", "/a", { waitMs: 1000 });
    stage.now += 1000;
    expect(stage.cycle(stage.queue("ann", "/b"))).toBeUndefined();
  });

  test("when the lock in the way has expired", () => {
    const stage = new Stage();
    stage.hold("ann", "/a");
    stage.hold("bob", "/b", { ttlMs: 1000 });
    stage.queue("bob", "/a");
    const ann = stage.queue("ann", "/b");
    stage.now += 1000;
    expect(stage.cycle(ann)).toBeUndefined();
  });

  test("once the waiter has left the queue", () => {
    const stage = new Stage();
    stage.hold("ann", "/a");
    stage.hold("bob", "/b");
    stage.queue("ann", "/b");
    const bob = stage.queue("bob", "/a");
    stage.withdraw(bob);
    expect(stage.cycle(bob)).toBeUndefined();
  });
});

test("a cycle that a release closes is seen when the youngest looks again", () => {
  const stage = new Stage();
  stage.hold("zoe", "/p");
  const q = stage.hold("xan", "/q");
  stage.hold("xan", "/r");
  stage.hold("yan", "/s");
  // While xan holds /q, for which wim waits, xan need not stand behind wim.
  const wim = stage.queue("wim", ["/p", "/q", "/s"]);
  const xan = stage.queue("xan", "/p");
  const yan = stage.queue("yan", "/r");
  expect([wim, xan, yan].map((one) => stage.cycle(one))).toEqual([undefined, undefined, undefined]);
  stage.release(q);
  expect([wim, xan].map((one) => stage.cycle(one))).toEqual([undefined, undefined]);
  expect(stage.cycle(yan)?.map((edge) => edge.agentId)).toEqual(["yan", "xan", "wim"]);
});

describe("the search ends", () => {
  /** Each agent holds a path of its own and waits for that of the next; the last one waits for that of the first. */
  function ring(size: number): readonly unknown[] | undefined {
    const stage = new Stage();
    for (let i = 0; i < size; i++) stage.hold(`agent ${i}`, `/${i}`);
    for (let i = 0; i < size - 1; i++) stage.queue(`agent ${i}`, `/${i + 1}`);
    return stage.cycle(stage.queue(`agent ${size - 1}`, "/0"));
  }

  test("after as many agents as it looks at, and then the timeouts decide", () => {
    expect(ring(257)).toHaveLength(257);
    expect(ring(258)).toBeUndefined();
  });

  /** Ann holds what the last of so many readers of a path waits for, and waits for that path. */
  function crowd(size: number): readonly unknown[] | undefined {
    const stage = new Stage();
    stage.hold("ann", "/a");
    for (let i = 0; i < size; i++) stage.hold(`reader ${i}`, "/plan", { mode: "shared" });
    stage.queue(`reader ${size - 1}`, "/a");
    return stage.cycle(stage.queue("ann", "/plan"));
  }

  test("after as many in the way of one claim as it looks at", () => {
    expect(crowd(64)).toHaveLength(2);
    expect(crowd(65)).toBeUndefined();
  });
});
