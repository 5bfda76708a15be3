/** What a plan reads: each range is a request to the store, so none that it can do without. */
import { describe, expect, test } from "vitest";
import { acquire } from "../../src/core/acquire.js";
import { findCycle } from "../../src/core/deadlock.js";
import { promote } from "../../src/core/promote.js";
import { expire } from "../../src/core/release.js";
import type { Found, View } from "../../src/core/view.js";
import { MapView } from "./map-view.js";
import { type Ask, resource, Stage, type Waiting } from "./stage.js";

class ListingView extends MapView {
  readonly read: string[] = [];

  override range(prefix: string, limit?: number, after?: string): readonly Found[] {
    this.read.push(prefix);
    return super.range(prefix, limit, after);
  }
}

/** The ranges that a plan reads, in order. */
function readBy(stage: Stage, plan: (view: View) => unknown): string[] {
  const moment = { earliest: stage.now, latest: stage.now, managerId: stage.managerId };
  const view = new ListingView(stage.entries, moment);
  plan(view);
  return view.read;
}

function readToAcquire(stage: Stage, agentId: string, path: string, ask: Ask = {}): string[] {
  return readBy(stage, (view) => {
    const wait = ask.waitMs === undefined ? undefined : { until: stage.now + ask.waitMs };
    acquire(view, stage.request(agentId, path, ask), stage.limits, wait);
  });
}

function readToPromote(stage: Stage, { request, places }: Waiting): string[] {
  return readBy(stage, (view) => promote(view, request, places, stage.limits));
}

describe("to acquire", () => {
  test("a free path nothing is read, whatever stands above and below it", () => {
    const stage = new Stage();
    stage.limits = { ...stage.limits, maxLocksPerAgent: 1 };
    stage.hold("bob", "/a");
    stage.hold("cat", "/a/b/c");
    stage.queue("dan", "/a");
    stage.queue("eve", "/a/b/c");
    expect(readToAcquire(stage, "ann", "/a/b")).toEqual([]);
  });

  test("a held path with a wait nothing is read, however many are in its queue", () => {
    const stage = new Stage();
    stage.hold("ann", "/plan");
    stage.queue("bob", "/plan");
    expect(readToAcquire(stage, "cat", "/plan", { waitMs: 1000 })).toEqual([]);
  });

  test("a path that is waited for its queue is read, up to the first in the way", () => {
    const stage = new Stage();
    stage.hold("zoe", "/other");
    for (let i = 0; i < 120; i++) stage.queue(`agent ${i}`, ["/other", "/plan"]);
    expect(readToAcquire(stage, "ann", "/plan", { waitMs: 1000 })).toEqual(["wait/plan//"]);
  });

  test("a path that readers wait for, a reader reads their queue page by page, to its end", () => {
    const stage = new Stage();
    stage.hold("zoe", "/other");
    for (let i = 0; i < 200; i++) stage.queue(`reader ${i}`, ["/other", "/plan"], { mode: "shared" });
    const read = readToAcquire(stage, "ann", "/plan", { mode: "shared", waitMs: 1000 });
    expect(read).toEqual(["wait/plan//", "wait/plan//", "wait/plan//"]);
  });

  test("what a plain waiter waits for is known from itself", () => {
    const stage = new Stage();
    stage.hold("zoe", "/plan", { ttlMs: 1000 });
    stage.queue("bob", "/plan");
    stage.hold("ann", "/own");
    stage.now += 1000;
    const read = new Set(readToAcquire(stage, "ann", "/plan"));
    expect(read).toEqual(new Set(["wait/plan//", "agent/ann/lock/"]));
  });

  test("a tree only the locks below it are read, unless somebody waits there", () => {
    const stage = new Stage();
    stage.hold("ann", "/a/1");
    stage.hold("ann", "/a/2");
    expect(new Set(readToAcquire(stage, "ann", "/a", { scope: "tree" }))).toEqual(new Set(["lock/a/"]));
    expect(new Set(readToAcquire(stage, "ann", "/b", { scope: "tree" }))).toEqual(new Set(["lock/b/"]));
    stage.queue("bob", "/a/2");
    expect(new Set(readToAcquire(stage, "ann", "/a", { scope: "tree" }))).toContain("wait/a/");
  });
});

describe("for its turn", () => {
  test("the head of a queue reads nothing, whoever stands behind", () => {
    const stage = new Stage();
    stage.hold("ann", "/plan", { ttlMs: 1000 });
    const bob = stage.queue("bob", "/plan");
    stage.queue("cat", "/plan");
    stage.now += 1000;
    expect(readToPromote(stage, bob)).toEqual([]);
  });

  test("the last of a queue reads it once", () => {
    const stage = new Stage();
    stage.hold("ann", "/plan", { ttlMs: 1000 });
    const bob = stage.queue("bob", "/plan");
    const cat = stage.queue("cat", "/plan");
    const dan = stage.queue("dan", "/plan");
    stage.withdraw(cat);
    stage.withdraw(bob);
    stage.now += 1000;
    expect(readToPromote(stage, dan)).toEqual(["wait/plan//"]);
  });

  test("one far behind reads no further than the first in its way", () => {
    const stage = new Stage();
    stage.hold("ann", "/plan");
    for (let i = 0; i < 120; i++) stage.queue(`agent ${i}`, "/plan");
    expect(readToPromote(stage, stage.queue("bob", "/plan"))).toEqual(["wait/plan//"]);
  });
});

test("the sweep reads no queue where there is none", () => {
  const stage = new Stage();
  stage.hold("ann", "/plan");
  expect(readBy(stage, (view) => expire(view, resource("/plan"), "sweep", 100))).toEqual([]);
});

describe("to find a cycle", () => {
  test("nothing is read for an agent that holds nothing, though those in its way wait as well", () => {
    const stage = new Stage();
    stage.hold("ann", "/plan");
    stage.hold("zoe", "/other");
    stage.queue("ann", "/other");
    const { request, places } = stage.queue("bob", "/plan");
    expect(readBy(stage, (view) => findCycle(view, request, places))).toEqual([]);
  });

  test("nothing is read of an agent that waits for nothing", () => {
    const stage = new Stage();
    stage.hold("ann", "/plan");
    stage.hold("bob", "/own");
    const { request, places } = stage.queue("bob", "/plan");
    expect(readBy(stage, (view) => findCycle(view, request, places))).toEqual([]);
  });
});
