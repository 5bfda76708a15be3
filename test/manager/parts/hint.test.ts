/** What managers say to each other of a path that may be had. */
import { describe, expect, test } from "vitest";
import type { Holder, Queue } from "../../../src/core/records.js";
import { hintOf, hintText } from "../../../src/manager/hint.js";

const queue: Queue = { head: 3, next: 12, waiting: 7, trees: 1 };
const holder: Holder = {
  lockId: "L1",
  agentId: "ann",
  mode: "shared",
  scope: "resource",
  token: 1,
  acquiredAt: 0,
  expiresAt: 1000,
  ttlMs: 1000,
};

describe("A hint", () => {
  test("of a free path that is waited for says how its queue stands.", () => {
    expect(hintOf(hintText("/a b/c", { holders: [], queue }))).toEqual({ path: "/a b/c", queue });
  });

  test.each([
    ["is gone", undefined],
    ["nobody waits for", { holders: [] }],
    ["is held", { holders: [holder], queue }],
  ])("of a path that %s only names it.", (_which, record) => {
    expect(hintText("/a", record)).toBe("/a");
    expect(hintOf("/a")).toEqual({ path: "/a", queue: undefined });
  });

  test("has room for numbers of fifteen digits.", () => {
    const most = 999_999_999_999_999;
    const full: Queue = { head: most, next: most, waiting: most, trees: most };
    expect(hintOf(hintText("/a", { holders: [], queue: full })).queue).toEqual(full);
  });

  test.each([
    ["words", "/a\tfree"],
    ["three numbers", "/a\t1 2 1"],
    ["five numbers", "/a\t1 2 1 0 0"],
    ["something before the numbers", "/a\tx1 2 1 0"],
    ["something after the numbers", "/a\t1 2 1 0x"],
    ["numbers below zero", "/a\t-1 2 1 0"],
    ["numbers that lose digits", "/a\t1 2 1 1000000000000000"],
  ])("that is not understood, for it says %s, only names the path.", (_what, text) => {
    expect(hintOf(text)).toEqual({ path: "/a", queue: undefined });
  });
});
