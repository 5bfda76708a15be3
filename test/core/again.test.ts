/** A lock that its agent acquires again: which calls rely on it, and when it goes. */
import { describe, expect, test } from "vitest";
import { acquire, resume } from "../../src/core/acquire.js";
import type { Request } from "../../src/core/claim.js";
import { promote, retire, withdraw } from "../../src/core/promote.js";
import { Stage } from "./stage.js";

/** Two calls of ann that have the same lock. */
function joined(stage: Stage): [Request, Request] {
  const first = stage.hold("ann", "/plan", { ttlMs: 60_000 });
  return [first, stage.hold("ann", "/plan", { ttlMs: 30_000 })];
}

function retired(stage: Stage, request: Request, told = true): void {
  stage.run((view) => retire(view, request, told, 100));
}

describe("a lock acquired again", () => {
  test("names the call that joined, or says that there were several", () => {
    const stage = new Stage();
    const [, second] = joined(stage);
    expect(stage.holders("/plan")[0]).toMatchObject({ lockId: "L1", joined: "L2" });
    stage.ask(second);
    expect(stage.holders("/plan")[0]?.joined).toBe("L2");
    const third = stage.hold("ann", "/plan", { ttlMs: 30_000 });
    expect(stage.holders("/plan")[0]?.joined).toBe(true);
    stage.ask(second);
    stage.ask(third);
    expect(stage.holders("/plan")[0]?.joined).toBe(true);
    expect(stage.held("/plan")).toEqual(["ann 1"]);
  });

  test("by the same call once more is as it is", () => {
    const stage = new Stage();
    const [, second] = joined(stage);
    const view = stage.view();
    expect(acquire(view, second, stage.limits, undefined)).toMatchObject({
      kind: "granted",
      granted: [{ path: "/plan", holder: { lockId: "L1", token: 1, joined: "L2" } }],
    });
    expect(view.written.size).toBe(0);
  });

  test("for just as long is not told of as extended", () => {
    const stage = new Stage();
    stage.hold("ann", "/plan", { ttlMs: 60_000 });
    stage.hold("ann", "/plan", { ttlMs: 60_000 });
    expect(stage.happened()).toEqual(["ann acquired /plan"]);
    stage.hold("ann", "/plan", { ttlMs: 60_001 });
    expect(stage.happened()).toEqual(["ann acquired /plan", "ann extended /plan"]);
  });
});

describe("when the calls are retired", () => {
  test("the first leaves the lock to the second, whose end is its end", () => {
    const stage = new Stage();
    const [first, second] = joined(stage);
    retired(stage, first);
    expect(stage.holders("/plan")[0]).toMatchObject({ lockId: "L1", joined: "L2", abandoned: true });
    retired(stage, second);
    expect(stage.held("/plan")).toEqual([]);
    expect(stage.happened()).toEqual(["ann acquired /plan", "ann released /plan"]);
  });

  test("the second leaves it to the first", () => {
    const stage = new Stage();
    const [first, second] = joined(stage);
    retired(stage, second);
    expect(stage.holders("/plan")[0]?.joined).toBeUndefined();
    expect(stage.held("/plan")).toEqual(["ann 1"]);
    retired(stage, first);
    expect(stage.held("/plan")).toEqual([]);
  });

  test("the first twice, it is abandoned once, and told of once", () => {
    const stage = new Stage();
    const [first] = joined(stage);
    stage.told.length = 0;
    retired(stage, first, false);
    expect(stage.happened()).toEqual(["ann acquired /plan"]);
    const view = stage.view();
    retire(view, first, false, 100);
    expect([view.written.size, view.told]).toEqual([0, []]);
  });

  test("the second, nothing is told of a grant that is the first one's", () => {
    const stage = new Stage();
    const [first, second] = joined(stage);
    stage.told.length = 0;
    retired(stage, second, false);
    expect(stage.happened()).toEqual([]);
    stage.hold("ann", "/plan", { ttlMs: 30_000 });
    retired(stage, first);
    expect(stage.happened()).toEqual([]);
  });

  test("of several that joined, none knows of the others: it lives until its time is up", () => {
    const stage = new Stage();
    const [first, second] = joined(stage);
    stage.hold("ann", "/plan", { ttlMs: 30_000 });
    retired(stage, second);
    retired(stage, first);
    retired(stage, second);
    expect(stage.holders("/plan")[0]).toMatchObject({ lockId: "L1", joined: true, abandoned: true });
  });

  test("one that came to nothing takes no lock with it", () => {
    const stage = new Stage();
    stage.hold("ann", "/plan");
    const view = stage.view();
    retire(view, stage.request("ann", "/plan"), true, 100);
    retire(view, stage.request("ann", "/other"), true, 100);
    expect(view.written.size).toBe(0);
  });

  test("one that has left in the same change leaves once", () => {
    const stage = new Stage();
    stage.hold("ann", "/plan");
    const { request, places } = stage.queue("bob", "/plan");
    stage.run((view) => {
      withdraw(view, request, places, "aborted");
      retire(view, request, true, 100);
    });
    expect(stage.happened().filter((one) => one === "bob dequeued /plan")).toHaveLength(1);
    expect(stage.counts("bob")).toEqual({ locks: 0, waits: 0 });
  });
});

describe("a grant whose reply was lost", () => {
  test("is told of when it is found, but not twice in one change", () => {
    const stage = new Stage();
    const request = stage.hold("ann", "/plan");
    stage.told.length = 0;
    stage.run((view) => resume(view, request));
    expect(stage.told).toMatchObject([{ type: "acquired", path: "/plan", token: 1 }]);
    const other = stage.request("bob", "/other");
    stage.run((view) => {
      acquire(view, other, stage.limits, undefined);
      resume(view, other);
    });
    expect(stage.happened()).toEqual(["ann acquired /plan", "bob acquired /other"]);
  });

  test("has the token that it had, whoever came after it", () => {
    const stage = new Stage();
    const request = stage.hold("ann", "/plan", { mode: "shared" });
    stage.hold("bob", "/plan", { mode: "shared" });
    expect(resume(stage.view(), request)).toMatchObject({ granted: [{ holder: { token: 1 } }] });
  });

  test("is not another call's", () => {
    const stage = new Stage();
    stage.hold("ann", "/plan");
    expect(resume(stage.view(), stage.request("ann", "/plan"))).toEqual({ kind: "nothing left" });
  });

  test("tells of the path that it got, not of one that its agent had before", () => {
    const stage = new Stage();
    stage.hold("bob", "/a");
    const ann = stage.hold("ann", "/b");
    const bob = stage.queue("bob", ["/a", "/b"]);
    stage.release(ann);
    stage.promoted(bob);
    stage.told.length = 0;
    stage.run((view) => promote(view, bob.request, bob.places, stage.limits));
    expect(stage.happened()).toEqual(["bob acquired /b"]);
  });

  test("is no place in a queue that was left in the same change", () => {
    const stage = new Stage();
    stage.hold("ann", "/plan");
    const { request, places } = stage.queue("bob", "/plan");
    const reply = stage.run((view) => {
      withdraw(view, request, places, "aborted");
      return resume(view, request);
    });
    expect(reply).toEqual({ kind: "nothing left" });
  });
});
