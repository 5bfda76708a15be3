/** The rules would notice: each is shown a commit that breaks it. */
import { describe, expect, test } from "vitest";
import type { Change, Json } from "../../src/store/store.js";
import { Ledger } from "./ledger.js";
import { StoreRules } from "./store-rules.js";
import { Truth } from "./truth.js";

const limits = { maxLocksPerAgent: 2, maxWaitersPerAgent: 10, maxWaitersPerResource: 10 };

class Stage {
  readonly found: string[] = [];
  private readonly truth = new Truth();
  private readonly ledger = new Ledger();
  private readonly rules = new StoreRules(this.truth, this.ledger, limits, (invariant) =>
    this.found.push(invariant),
  );
  private revision = 0;

  /** One change that writes the entries given, and removes those that are null. */
  commit(entries: Readonly<Record<string, Json>>, now = 0, by = "m1"): this {
    const put = Object.entries(entries)
      .filter(([, value]) => value !== null)
      .map(([key, value]) => ({ key, value }));
    const remove = Object.keys(entries).filter((key) => entries[key] === null);
    const change: Change = { expect: [], put, remove, announce: [] };
    const outcome = { applied: true, revision: ++this.revision } as const;
    const deed = this.truth.apply([change], [outcome], now, by, now);
    if (deed !== undefined) this.rules.check(deed);
    return this;
  }

  wish(agentId: string, path: string): this {
    const call = { process: { name: "m1" }, agentId, paths: [path], mode: "exclusive", scope: "resource" };
    this.ledger.begin(call as never, []);
    return this;
  }

  /** A call of the process m1 that was granted other locks than those of the ids it was to have. */
  answered(...lockIds: string[]): this {
    this.ledger.begin({ process: { name: "m1" }, paths: [], state: "granted" } as never, lockIds);
    return this;
  }

  /** The process m1 has told a holder that its lock is lost. */
  told(lockId: string): this {
    const process = { name: "m1", isDead: false };
    const handle = { process, lock: { lockId }, signal: AbortSignal.abort(), isLeaving: false };
    this.ledger.take(handle as never);
    return this;
  }
}

function holder(agentId: string, n: number, more: Record<string, Json> = {}): Record<string, Json> {
  const claim = { agentId, mode: "exclusive", scope: "resource", ttlMs: 100 };
  return { lockId: `m1.${n}`, ...claim, token: 0, acquiredAt: 0, expiresAt: 100, ...more };
}

function has(agentId: string, path: string): Record<string, Json> {
  return { [`agent/${agentId}`]: { locks: 1, waits: 0 }, [`agent/${agentId}/lock${path}`]: 1 };
}

const wished = (): Stage => new Stage().wish("ann", "/a").wish("bob", "/a");

describe("the rules notice", () => {
  test("nothing when all is well", () => {
    const stage = wished().commit({ "lock/a": { holders: [holder("ann", 1)] }, ...has("ann", "/a") });
    expect(stage.found).toEqual([]);
  });

  test("two exclusive locks at once (I1)", () => {
    const holders = [holder("ann", 1), holder("bob", 2)];
    const stage = wished().commit({ "lock/a": { holders }, ...has("ann", "/a"), ...has("bob", "/a") });
    expect(stage.found).toContain("I1");
  });

  test("a token that is not the revision of the grant (I2)", () => {
    const holders = [holder("ann", 1, { token: 7 })];
    expect(wished().commit({ "lock/a": { holders }, ...has("ann", "/a") }).found).toEqual(["I2"]);
  });

  test("an end of a lock in force by another process than the one that told its holder of it (I4)", () => {
    const held = (): Stage =>
      wished()
        .commit({ "lock/a": { holders: [holder("ann", 1)] }, ...has("ann", "/a") })
        .told("m1.1");
    const gone = { "lock/a": null, "agent/ann": null, "agent/ann/lock/a": null };
    expect(held().commit(gone, 50, "m1").found).toEqual([]);
    expect(held().commit(gone, 50, "m2").found).toEqual(["I4"]);
    expect(held().commit(gone, 150, "m2").found).toEqual([]);
  });

  test("a grant of an attempt that was given up for another one, which was granted (I18)", () => {
    const stage = wished()
      .answered("m1.1")
      .commit({ "lock/a": { holders: [holder("ann", 1)] }, ...has("ann", "/a") });
    expect(stage.found).toEqual(["I18"]);
  });

  test("a lock that nobody asked for (I5)", () => {
    const stage = new Stage().commit({ "lock/a": { holders: [holder("ann", 1)] }, ...has("ann", "/a") });
    expect(stage.found).toEqual(["I5"]);
  });

  test("a grant before an earlier waiter (I6)", () => {
    const waiter = {
      ...holder("bob", 2),
      requestId: "m1.2",
      paths: 1,
      managerId: "m1.0",
      until: null,
      ordinal: 1,
    };
    const queue = { head: 1, next: 2, waiting: 1, trees: 0 };
    const stage = wished()
      .commit({
        "manager/m1.0": { expiresAt: 100 },
        "wait/a//0000000001": waiter,
        "lock/a": { holders: [], queue },
        "agent/bob": { locks: 0, waits: 1 },
        "agent/bob/wait/m1.2": { path: "/a", n: 1, requestId: "m1.2" },
      })
      .commit({ "lock/a": { holders: [holder("ann", 1)], queue }, ...has("ann", "/a") });
    expect(stage.found).toEqual(["I6"]);
  });

  test("an extension after the lock has expired (I11)", () => {
    const stage = wished()
      .commit({ "lock/a": { holders: [holder("ann", 1)] }, ...has("ann", "/a") })
      .commit({ "lock/a": { holders: [holder("ann", 1, { token: 1, expiresAt: 900 })] } }, 150);
    expect(stage.found).toEqual(["I11"]);
  });

  test("counters that are wrong", () => {
    const stage = wished().commit({
      "lock/a": { holders: [holder("ann", 1)] },
      "agent/ann": { locks: 2, waits: 0 },
      "agent/ann/lock/a": 1,
    });
    expect(new Set(stage.found)).toEqual(new Set(["books"]));
  });
});
