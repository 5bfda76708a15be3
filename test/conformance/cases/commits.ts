import { expect } from "vitest";
import { apply, attempt, change, entryAt, keysIn, put, remove, revisionOf, valueAt } from "../changes.js";
import type { Case, Exceptions } from "../store-suite.js";

export function commitCases(it: Case, exceptions: Exceptions): void {
  it("what was put can be read, at the revision that the commit returned", async (store) => {
    const revision = await apply(store, put("a", { n: 1 }));
    expect(await entryAt(store, "a")).toEqual({ key: "a", revision, value: { n: 1 } });
  });

  it("every entry of one change has its revision", async (store) => {
    const keys = ["a", "b", "c"];
    const revision = await apply(store, change({ put: keys.map((key) => ({ key, value: key })) }));
    for (const key of keys) expect(await entryAt(store, key)).toMatchObject({ revision });
  });

  it("a put replaces the value and raises the revision", async (store) => {
    const first = await apply(store, put("a", 1));
    const second = await apply(store, put("a", 2));
    expect(second).toBeGreaterThan(first);
    expect(await entryAt(store, "a")).toEqual({ key: "a", revision: second, value: 2 });
  });

  it("a removed key is absent, and put anew has a larger revision", async (store) => {
    const first = await apply(store, put("a"));
    await apply(store, remove("a"));
    expect(await entryAt(store, "a")).toBeUndefined();
    expect(await apply(store, put("a"))).toBeGreaterThan(first);
  });

  it("removing what is not there is no failure", async (store) => {
    expect(await attempt(store, { remove: ["absent"] })).toMatchObject({ applied: true });
  });

  it("a change puts and removes at once", async (store) => {
    await apply(store, put("old"));
    await apply(store, change({ put: [{ key: "new", value: 1 }], remove: ["old"] }));
    expect(await keysIn(store, { prefix: "" })).toEqual(["new"]);
  });

  it("a change that writes nothing is applied when what it expects holds", async (store) => {
    const revision = await apply(store, put("a"));
    expect(await attempt(store, { expect: [{ key: "a", revision }] })).toMatchObject({ applied: true });
    expect(await attempt(store, { expect: [{ key: "a", revision: 0 }] })).toMatchObject({ applied: false });
  });

  it("a commit without changes has no outcomes", async (store) => {
    expect((await store.commit([])).outcomes).toEqual([]);
  });

  it("the changes of one commit succeed and fail independently, and answer in their order", async (store) => {
    await apply(store, put("taken"));
    const { outcomes } = await store.commit([
      change({ expect: [{ key: "a", revision: 0 }], put: [{ key: "a", value: 1 }] }),
      change({ expect: [{ key: "taken", revision: 0 }], put: [{ key: "b", value: 2 }] }),
      change({ expect: [{ key: "c", revision: 0 }], put: [{ key: "c", value: 3 }] }),
    ]);
    expect(outcomes.map((outcome) => outcome.applied)).toEqual([true, false, true]);
    expect(await keysIn(store, { prefix: "" })).toEqual(["a", "c", "taken"]);
    expect(await entryAt(store, "c")).toMatchObject({ revision: revisionOf(outcomes[2]!) });
  });

  it("a change that is not applied leaves no trace: no put, no removal", async (store) => {
    await apply(store, put("stays", "old"));
    await attempt(store, {
      expect: [{ key: "missing", revision: 12345 }],
      put: [
        { key: "stays", value: "new" },
        { key: "other", value: 1 },
      ],
    });
    await attempt(store, { expect: [{ key: "missing", revision: 12345 }], remove: ["stays"] });
    expect(await keysIn(store, { prefix: "" })).toEqual(["stays"]);
    expect(await valueAt(store, "stays")).toBe("old");
  });

  it("revisions are safe integers that strictly rise from commit to commit, however quick they are", async (store) => {
    let last = 0;
    for (let round = 0; round < 200; round += 1) {
      const revision = await apply(store, put(`key ${round % 7}`, round));
      expect(Number.isSafeInteger(revision)).toBe(true);
      expect(revision).toBeGreaterThan(last);
      last = revision;
    }
  });

  it("commits that run at the same time have different revisions", async (store) => {
    const revisions = await Promise.all(
      Array.from({ length: 50 }, (_, number) => apply(store, put(`key ${number}`))),
    );
    expect(new Set(revisions).size).toBe(revisions.length);
  });

  it("a removal takes a revision too", async (store) => {
    const before = await apply(store, put("a"));
    const removal = await apply(store, remove("a"));
    const after = await apply(store, put("b"));
    expect(removal).toBeGreaterThan(before);
    expect(after).toBeGreaterThan(removal);
  });

  it("a change may name many keys", async (store) => {
    const count = Math.min(store.traits.maxKeysPerChange, 300);
    const keys = Array.from({ length: count }, (_, number) => `key ${String(number).padStart(4, "0")}`);
    await apply(store, change({ put: keys.map((key) => ({ key, value: 1 })) }));
    expect(await keysIn(store, { prefix: "" })).toEqual(keys);
  });

  it("a change is applied up to its `notAfter`", async (store, _opened, skip) => {
    if (exceptions.notAfter !== undefined) skip(exceptions.notAfter);
    const { storeTime } = await store.read({});
    const outcome = await attempt(store, {
      put: [{ key: "a", value: 1 }],
      notAfter: storeTime + 3_600_000,
    });
    expect(outcome).toMatchObject({ applied: true });
  });

  it("a change that comes after its `notAfter` is late and leaves no trace", async (store, _opened, skip) => {
    if (exceptions.notAfter !== undefined) skip(exceptions.notAfter);
    const { storeTime } = await store.read({});
    const late = { put: [{ key: "a", value: 1 }], notAfter: storeTime - 1 };
    expect(await attempt(store, late)).toEqual({ applied: false, late: true, found: [] });
    expect(await entryAt(store, "a")).toBeUndefined();
  });

  it("a late change is told what was found as well, whether or not it was expected", async (store, _opened, skip) => {
    if (exceptions.notAfter !== undefined) skip(exceptions.notAfter);
    const revision = await apply(store, put("a", 1));
    const { storeTime } = await store.read({});
    const found = [{ key: "a", revision, value: 1 }];
    for (const expected of [revision, 0]) {
      const late = { expect: [{ key: "a", revision: expected }], notAfter: storeTime - 1 };
      expect(await attempt(store, late)).toEqual({ applied: false, late: true, found });
    }
  });
}
