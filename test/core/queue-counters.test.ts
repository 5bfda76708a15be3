/** What a lock entry says of its queue, also when one change takes out several waiters. */
import { describe, expect, test } from "vitest";
import { promote, withdraw } from "../../src/core/promote.js";
import type { Queue } from "../../src/core/records.js";
import { expire, release } from "../../src/core/release.js";
import { resource, Stage } from "./stage.js";

function queueOf(stage: Stage, path: string): Queue | undefined {
  return stage.view().lock(path)?.queue;
}

describe("the entry", () => {
  test("counts who waits, and how many of them for the tree", () => {
    const stage = new Stage();
    stage.hold("ann", "/plan");
    const bob = stage.queue("bob", "/plan");
    const cat = stage.queue("cat", "/plan", { scope: "tree" });
    stage.queue("dan", "/plan", { scope: "tree" });
    expect(queueOf(stage, "/plan")).toEqual({ head: 1, next: 4, waiting: 3, trees: 2 });
    stage.withdraw(cat);
    expect(queueOf(stage, "/plan")).toEqual({ head: 1, next: 4, waiting: 2, trees: 1 });
    stage.withdraw(bob);
    expect(queueOf(stage, "/plan")).toEqual({ head: 2, next: 4, waiting: 1, trees: 1 });
  });

  test("says nothing of a queue that is empty", () => {
    const stage = new Stage();
    stage.hold("ann", "/plan");
    stage.withdraw(stage.queue("bob", "/plan"));
    expect(queueOf(stage, "/plan")).toBeUndefined();
  });
});

describe("one change", () => {
  test("never lets a queue begin with a number that it left itself", () => {
    const stage = new Stage();
    const ann = stage.hold("ann", "/plan");
    const bob = stage.as("m2", () => stage.queue("bob", "/plan", { mode: "shared" }));
    const cat = stage.as("m2", () => stage.queue("cat", "/plan", { mode: "shared" }));
    const dan = stage.queue("dan", "/plan", { mode: "shared" });
    stage.queue("eve", "/plan");
    stage.release(ann);
    stage.run((view) => {
      withdraw(view, bob.request, bob.places, "aborted");
      promote(view, dan.request, dan.places, stage.limits);
    });
    expect(queueOf(stage, "/plan")).toMatchObject({ head: cat.places[0], waiting: 2 });
  });

  test("that had one leave sweeps it no second time", () => {
    const stage = new Stage();
    stage.hold("ann", "/plan");
    const bob = stage.as("m2", () => stage.queue("bob", "/plan", { waitMs: 1000 }));
    stage.queue("cat", "/plan");
    stage.now += 1000;
    const swept = stage.run((view) => {
      withdraw(view, bob.request, bob.places, "timeout");
      return expire(view, resource("/plan"), "sweep", 100);
    });
    expect(swept.abandoned).toBe(0);
    expect(queueOf(stage, "/plan")).toMatchObject({ waiting: 1 });
    expect(stage.happened().filter((one) => one === "bob dequeued /plan")).toHaveLength(1);
  });

  test("may empty a queue by having one served, one dropped as dead and one leave", () => {
    const stage = new Stage();
    const ann = stage.hold("ann", "/plan");
    stage.as("m2", () => stage.queue("bob", "/plan"), stage.now + 1000);
    const cat = stage.queue("cat", "/plan");
    const dan = stage.queue("dan", "/plan");
    stage.now += 1000;
    stage.release(ann);
    stage.run((view) => {
      withdraw(view, dan.request, dan.places, "aborted");
      promote(view, cat.request, cat.places, stage.limits);
    });
    expect(stage.waiting("/plan")).toEqual([]);
    expect(queueOf(stage, "/plan")).toBeUndefined();
    expect(stage.held("/plan")[0]).toMatch(/^cat/);
  });
});

describe("whoever has its turn", () => {
  test("behind a number that was left may be the last, on a path that nobody holds", () => {
    const stage = new Stage();
    const ann = stage.hold("ann", "/plan");
    const bob = stage.queue("bob", "/plan");
    const cat = stage.queue("cat", "/plan");
    const dan = stage.queue("dan", "/plan");
    stage.withdraw(cat);
    stage.withdraw(bob);
    expect(queueOf(stage, "/plan")).toMatchObject({ head: 2, waiting: 1 });
    const name = { resource: resource("/plan"), agentId: "ann", lockId: ann.claims[0]!.lockId };
    stage.run((view) => release(view, name, undefined));
    stage.promoted(dan);
    expect(queueOf(stage, "/plan")).toBeUndefined();
  });

  test("leaves those behind it to the sweep, dead or not", () => {
    const stage = new Stage();
    const ann = stage.hold("ann", "/plan");
    stage.as("m2", () => stage.queue("bob", "/plan"), stage.now + 1000);
    const cat = stage.queue("cat", "/plan");
    stage.as("m2", () => stage.queue("dan", "/plan"), stage.now + 1000);
    stage.now += 1000;
    stage.release(ann);
    stage.promoted(cat);
    expect(stage.waiting("/plan")).toEqual(["dan"]);
    expect(queueOf(stage, "/plan")).toMatchObject({ head: 3, waiting: 1 });
  });

  test("leaves those before it that were not in its way, dead or not", () => {
    const stage = new Stage();
    const ann = stage.hold("ann", "/plan");
    stage.as("m2", () => stage.queue("bob", "/plan", { mode: "shared" }), stage.now + 1000);
    const cat = stage.queue("cat", "/plan", { mode: "shared" });
    stage.now += 1000;
    stage.release(ann);
    stage.promoted(cat);
    expect(stage.waiting("/plan")).toEqual(["bob"]);
  });
});

describe("the sweep", () => {
  test("leaves the waiters of its own manager to those who wait there", () => {
    const stage = new Stage();
    stage.hold("ann", "/plan");
    stage.queue("bob", "/plan", { waitMs: 1000 });
    stage.now += 1000;
    expect(stage.expire("/plan", "sweep").abandoned).toBe(0);
    expect(stage.waiting("/plan")).toEqual(["bob"]);
  });
});
