import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isAtOrBelow } from "../../src/core/resource-path.js";
import { createLockManager } from "../../src/create-lock-manager.js";
import { type FencedUse, FenceGuard } from "../../src/fence-guard.js";
import { ManualClock } from "../support/manual-clock.js";

function answer(guard: FenceGuard, use: FencedUse): "passes" | string {
  try {
    guard.admit(use);
    return "passes";
  } catch (error) {
    return (error as { code: string }).code;
  }
}

describe("A fence guard", () => {
  test("turns away a token smaller than one that came before, in words", () => {
    const guard = new FenceGuard();
    guard.admit({ resourcePath: "/deploy/prod", fencingToken: 9 });
    guard.admit({ resourcePath: "/deploy/prod", fencingToken: 9 });
    expect(() => guard.admit({ resourcePath: "/deploy/prod", fencingToken: 5 })).toThrow(
      expect.objectContaining({
        code: "lost",
        message: 'Refused "/deploy/prod" under fencing token 5: the lock has ended, for token 9 came before.',
      }),
    );
    expect(answer(guard, { resourcePath: "/deploy/test", fencingToken: 5 })).toBe("passes");
  });

  test("knows a path by all its spellings", () => {
    const guard = new FenceGuard();
    guard.admit({ resourcePath: "deploy/prod/", fencingToken: 9 });
    expect(answer(guard, { resourcePath: "/deploy/prod", fencingToken: 5 })).toBe("lost");
  });

  test("lets shared uses pass beside each other, whatever their order", () => {
    const guard = new FenceGuard();
    guard.admit({ resourcePath: "/plan", fencingToken: 9, mode: "shared" });
    expect(answer(guard, { resourcePath: "/plan", fencingToken: 7, mode: "shared" })).toBe("passes");
    expect(answer(guard, { resourcePath: "/plan", fencingToken: 8 })).toBe("lost");
    guard.admit({ resourcePath: "/plan", fencingToken: 10 });
    expect(answer(guard, { resourcePath: "/plan", fencingToken: 9, mode: "shared" })).toBe("lost");
  });

  test("turns away a tree that something below it came after, and what is below a later tree", () => {
    const guard = new FenceGuard();
    guard.admit({ resourcePath: "/repo/src/a.ts", fencingToken: 9 });
    expect(answer(guard, { resourcePath: "/repo", fencingToken: 8, scope: "tree" })).toBe("lost");
    expect(answer(guard, { resourcePath: "/repo", fencingToken: 8 })).toBe("passes");
    guard.admit({ resourcePath: "/repo", fencingToken: 12, scope: "tree" });
    expect(answer(guard, { resourcePath: "/repo/docs/b.md", fencingToken: 11 })).toBe("lost");
    expect(answer(guard, { resourcePath: "/other", fencingToken: 1 })).toBe("passes");
  });

  test("takes the lock itself, and refuses its holder once another held it", async () => {
    const clock = new ManualClock();
    const locks = await createLockManager({}, "memory:", { clock });
    const guard = new FenceGuard();
    const early = await locks.acquireLock("/deploy/prod", "ann", { ttl: 50 });
    guard.admit(early);
    await clock.advance(100);
    const late = await locks.acquireLock("/deploy/prod", "bob", { ttl: 50 });
    guard.admit(late);
    expect(answer(guard, early)).toBe("lost");
    await locks.close();
  });

  test.each<[string, object, string]>([
    ["fencingToken", { resourcePath: "/a", fencingToken: 0 }, "a whole number from 1"],
    ["fencingToken", { resourcePath: "/a", fencingToken: Number.NaN }, "a whole number from 1"],
    ["fencingToken", { resourcePath: "/a" }, "a whole number from 1"],
    ["resourcePath", { resourcePath: "/a/../b", fencingToken: 1 }, 'no "." or ".." segment'],
    ["resourcePath", { resourcePath: 7, fencingToken: 1 }, "a string"],
    ["mode", { resourcePath: "/a", fencingToken: 1, mode: "read" }, '"exclusive" or "shared"'],
    ["scope", { resourcePath: "/a", fencingToken: 1, scope: "all" }, '"resource" or "tree"'],
  ])("refuses a bad %s: %j", (field, use, allowed) => {
    const guard = new FenceGuard();
    expect(() => guard.admit(use as FencedUse)).toThrow(
      expect.objectContaining({
        code: "invalid",
        facts: expect.objectContaining({ field, allowed: expect.stringContaining(allowed) }),
      }),
    );
  });

  test("refuses a bad size", () => {
    expect(() => new FenceGuard({ maxPaths: 0 })).toThrow(expect.objectContaining({ code: "invalid" }));
  });
});

describe("Of any uses in any order", () => {
  const path = fc
    .array(fc.constantFrom("a", "b", "c"), { maxLength: 3 })
    .map((segments) => `/${segments.join("/")}`);
  const uses = fc.array(
    fc.record({
      resourcePath: path,
      fencingToken: fc.integer({ min: 1, max: 20 }),
      mode: fc.constantFrom("exclusive" as const, "shared" as const),
      scope: fc.constantFrom("resource" as const, "tree" as const),
    }),
    { maxLength: 60 },
  );

  function conflict(a: Required<FencedUse>, b: Required<FencedUse>): boolean {
    if (a.mode === "shared" && b.mode === "shared") return false;
    return (
      a.resourcePath === b.resourcePath ||
      (a.scope === "tree" && isAtOrBelow(b.resourcePath, a.resourcePath)) ||
      (b.scope === "tree" && isAtOrBelow(a.resourcePath, b.resourcePath))
    );
  }

  test("exactly those pass that no conflicting use with a larger token came before", () => {
    fc.assert(
      fc.property(uses, (sequence) => {
        const guard = new FenceGuard();
        const passed: Required<FencedUse>[] = [];
        for (const use of sequence) {
          const tooLate = passed.some((one) => conflict(one, use) && one.fencingToken > use.fencingToken);
          expect(answer(guard, use)).toBe(tooLate ? "lost" : "passes");
          if (!tooLate) passed.push(use);
        }
      }),
    );
  });

  test("a guard that forgets lets none pass that one which remembers would turn away", () => {
    fc.assert(
      fc.property(uses, fc.integer({ min: 1, max: 6 }), (sequence, maxPaths) => {
        const forgetful = new FenceGuard({ maxPaths });
        const passed: Required<FencedUse>[] = [];
        for (const use of sequence) {
          if (answer(forgetful, use) !== "passes") continue;
          expect(passed.filter((one) => conflict(one, use) && one.fencingToken > use.fencingToken)).toEqual(
            [],
          );
          passed.push(use);
        }
      }),
    );
  });
});
