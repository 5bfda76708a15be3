/** The rules about refusals would notice: each is shown one that is not true. */
import { beforeEach, describe, expect, test } from "vitest";
import { LockError } from "../../src/errors.js";
import type { Json } from "../../src/store/store.js";
import type { Call } from "./ledger.js";
import { checkCycle } from "./refusal-rules.js";
import { Truth } from "./truth.js";

/** Ann holds /a and waits for /b since the second commit; bob holds /b and waits for /a since the third. */
let truth: Truth;
let revision: number;

beforeEach(() => {
  truth = new Truth();
  revision = 0;
  write({ "lock/a": { holders: [holder("ann", 1)] }, "lock/b": { holders: [holder("bob", 2)] } });
  write({ "wait/b//a1": waiter("ann", 3) });
  write({ "wait/a//a1": waiter("bob", 4) });
});

function write(entries: Readonly<Record<string, Json>>): void {
  const put = Object.entries(entries).map(([key, value]) => ({ key, value }));
  const outcome = { applied: true, revision: ++revision } as const;
  truth.apply([{ expect: [], put, remove: [], announce: [] }], [outcome], 0, "m1", 0);
}

function holder(agentId: string, n: number): Record<string, Json> {
  const claim = { agentId, mode: "exclusive", scope: "resource", ttlMs: 100 };
  return { lockId: `m1.${n}`, ...claim, token: 0, acquiredAt: 0, expiresAt: 100 };
}

function waiter(agentId: string, n: number): Record<string, Json> {
  return {
    ...holder(agentId, n),
    requestId: `m1.${n}`,
    paths: 1,
    managerId: "m1.0",
    until: null,
    ordinal: 1,
  };
}

function found(agentId: string, cycle: readonly (readonly [string, string, string])[]): string[] {
  const call = { agentId } as unknown as Call;
  const edges = cycle.map(([agent, waitsFor, blockedBy]) => ({ agentId: agent, waitsFor, blockedBy }));
  const report: string[] = [];
  const error = new LockError("deadlock", "A deadlock.", { cycle: edges });
  checkCycle(truth, { callOf: new Map() }, call, error, (invariant) => report.push(invariant));
  return report;
}

describe("a refusal for a deadlock", () => {
  test("is right when the youngest of the cycle is refused", () => {
    expect(
      found("bob", [
        ["bob", "/a", "ann"],
        ["ann", "/b", "bob"],
      ]),
    ).toEqual([]);
  });

  test("is wrong when an older one is refused as well (I19)", () => {
    expect(
      found("ann", [
        ["ann", "/b", "bob"],
        ["bob", "/a", "ann"],
      ]),
    ).toEqual(["I19"]);
  });

  test("is wrong when the cycle never was (I19)", () => {
    expect(
      found("bob", [
        ["bob", "/a", "ann"],
        ["ann", "/c", "bob"],
      ]),
    ).toEqual(["I19"]);
    expect(found("bob", [["bob", "/a", "ann"]])).toEqual(["I19"]);
  });
});
