/** Who stands in whose way: every pair of modes, scopes and places, spelled out. */
import { describe, expect, test } from "vitest";
import { conflict, isEarlier, type Mode, type Scope } from "../../src/core/claim.js";

const modes: readonly Mode[] = ["exclusive", "shared"];

interface Side {
  readonly agentId: string;
  readonly mode: Mode;
  readonly scope: Scope;
}

function side(agentId: string, mode: Mode, scope: Scope): Side {
  return { agentId, mode, scope };
}

/** Whether an exclusive claim of bob's at the second place meets ann's at the first. */
const overlaps: readonly (readonly [Scope, string, Scope, string, boolean])[] = [
  ["resource", "/a", "resource", "/a", true],
  ["resource", "/a", "resource", "/b", false],
  ["resource", "/a", "resource", "/a/b", false],
  ["resource", "/a", "resource", "/ab", false],
  ["tree", "/a", "resource", "/a", true],
  ["tree", "/a", "resource", "/a/b", true],
  ["tree", "/a", "resource", "/a/b/c", true],
  ["tree", "/a", "resource", "/ab", false],
  ["tree", "/a", "resource", "/", false],
  ["tree", "/a/b", "resource", "/a", false],
  ["tree", "/a", "tree", "/a", true],
  ["tree", "/a", "tree", "/a/b", true],
  ["tree", "/a", "tree", "/b", false],
  ["tree", "/a/b", "tree", "/a/c", false],
  ["tree", "/", "resource", "/", true],
  ["tree", "/", "resource", "/a/b", true],
  ["tree", "/", "tree", "/a", true],
  ["resource", "/", "tree", "/a", false],
  ["resource", "/", "resource", "/a", false],
];

describe.each(overlaps)("%s %s and %s %s", (scopeA, pathA, scopeB, pathB, overlap) => {
  for (const modeA of modes) {
    for (const modeB of modes) {
      const both = modeA === "shared" && modeB === "shared";
      const expected = overlap && !both;
      test(`${modeA} and ${modeB} ${expected ? "conflict" : "do not conflict"}, either way round`, () => {
        const ann = side("ann", modeA, scopeA);
        const bob = side("bob", modeB, scopeB);
        expect(conflict(ann, pathA, bob, pathB)).toBe(expected);
        expect(conflict(bob, pathB, ann, pathA)).toBe(expected);
      });
    }
  }

  test("one agent is never in its own way", () => {
    const ann = side("ann", "exclusive", scopeA);
    expect(conflict(ann, pathA, side("ann", "exclusive", scopeB), pathB)).toBe(false);
  });
});

describe("the order of tickets", () => {
  const first = { revision: 5, ordinal: 1, requestId: "a" };

  test("goes by revision, then by the place within the change, then by the request", () => {
    expect(isEarlier(first, { revision: 6, ordinal: 0, requestId: "0" })).toBe(true);
    expect(isEarlier(first, { revision: 5, ordinal: 2, requestId: "0" })).toBe(true);
    expect(isEarlier(first, { revision: 5, ordinal: 1, requestId: "b" })).toBe(true);
  });

  test("puts no later one before an earlier", () => {
    expect(isEarlier({ revision: 6, ordinal: 0, requestId: "0" }, first)).toBe(false);
    expect(isEarlier({ revision: 5, ordinal: 2, requestId: "0" }, first)).toBe(false);
    expect(isEarlier({ revision: 5, ordinal: 1, requestId: "b" }, first)).toBe(false);
  });

  test("puts nobody before itself", () => {
    expect(isEarlier(first, first)).toBe(false);
  });
});
