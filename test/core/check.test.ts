import { expect, test } from "vitest";
import { check } from "../../src/core/check.js";
import { resource, Stage } from "./stage.js";

function sorted(stage: Stage, agentId: string, paths: readonly string[]): Record<string, readonly string[]> {
  const { mine, theirs, free } = check(stage.view(), paths.map(resource), agentId);
  return { mine: mine.map((one) => one.path), theirs: theirs.map((one) => one.path), free };
}

test("paths are mine, theirs or free", () => {
  const stage = new Stage();
  stage.hold("ann", "/a");
  stage.hold("bob", "/b", { scope: "tree" });
  const found = sorted(stage, "ann", ["/a", "/b", "/b/c", "/d"]);
  expect(found).toEqual({ mine: ["/a"], theirs: ["/b", "/b/c"], free: ["/d"] });
});

test("a free path with somebody ahead is not called free", () => {
  const stage = new Stage();
  stage.hold("ann", "/a");
  stage.queue("bob", ["/a", "/b"]);
  expect(sorted(stage, "cat", ["/b"])).toEqual({ mine: [], theirs: ["/b"], free: [] });
  // Ann is not behind whoever waits for her.
  expect(sorted(stage, "ann", ["/b"])).toEqual({ mine: [], theirs: [], free: ["/b"] });
});

test("a lock that is only shared is in the way of an exclusive one, an expired one is not", () => {
  const stage = new Stage();
  stage.hold("ann", "/a", { mode: "shared", ttlMs: 1000 });
  expect(sorted(stage, "bob", ["/a"]).theirs).toEqual(["/a"]);
  stage.now += 1000;
  expect(sorted(stage, "bob", ["/a"]).free).toEqual(["/a"]);
  expect(sorted(stage, "ann", ["/a"]).free).toEqual(["/a"]);
});

test("of many in the way three are named", () => {
  const stage = new Stage();
  for (const agentId of ["ann", "bob", "cat", "dan"]) stage.hold(agentId, "/a", { mode: "shared" });
  expect(check(stage.view(), [resource("/a")], "eve").theirs[0]?.blockers).toHaveLength(3);
});
