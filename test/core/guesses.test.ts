/** A plan takes what it does not know for absent: it comes to something all the same, and is not applied when that was wrong. */
import { expect, test } from "vitest";
import { findCycle } from "../../src/core/deadlock.js";
import { lockKey, waitKey } from "../../src/core/keys.js";
import { promote, withdraw } from "../../src/core/promote.js";
import { Entries, MapView } from "./map-view.js";
import { Stage } from "./stage.js";

/** A view to which that entry is not known. */
function without(stage: Stage, missing: string): MapView {
  const known = new Entries();
  for (const key of stage.entries.keys()) {
    if (key !== missing) known.set({ key, ...stage.entries.at(key)! });
  }
  return new MapView(known, { earliest: stage.now, latest: stage.now, managerId: stage.managerId });
}

test("a waiter leaves a queue whose entry is not known", () => {
  const stage = new Stage();
  stage.hold("ann", "/plan");
  const { request, places } = stage.queue("bob", "/plan");
  const view = without(stage, lockKey("/plan"));
  expect(withdraw(view, request, places, "aborted")).toMatchObject({ kind: "gone", rest: false });
  expect(stage.entries.apply(view, stage.now)).toBeUndefined();
});

test("a waiter has its turn on a path whose entry is not known", () => {
  const stage = new Stage();
  stage.hold("ann", "/plan");
  const { request, places } = stage.queue("bob", "/plan");
  const view = without(stage, lockKey("/plan"));
  expect(promote(view, request, places, stage.limits).kind).toBe("granted");
  expect(stage.entries.apply(view, stage.now)).toBeUndefined();
});

test("whoever looks for a cycle does not follow a waiter that is not known", () => {
  const stage = new Stage();
  stage.hold("ann", "/a");
  stage.hold("bob", "/b");
  stage.queue("bob", "/a");
  const { request, places } = stage.queue("ann", "/b");
  expect(findCycle(without(stage, waitKey("/a", 1)), request, places)).toBeUndefined();
  expect(findCycle(stage.view(), request, places)).toHaveLength(2);
});
