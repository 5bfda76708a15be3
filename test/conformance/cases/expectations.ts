import { expect } from "vitest";
import type { Expectation, Range } from "../../../src/store/store.js";
import { apply, attempt, change, entryAt, put, remove } from "../changes.js";
import type { Case } from "../store-suite.js";

const done = [{ key: "done", value: true }];

export function expectationCases(it: Case): void {
  it("a key expected absent is absent before it was put and after it was removed", async (store) => {
    const absent: Expectation[] = [{ key: "a", revision: 0 }];
    expect(await attempt(store, { expect: absent, put: [{ key: "a", value: 1 }] })).toMatchObject({
      applied: true,
    });
    expect(await attempt(store, { expect: absent, put: done })).toMatchObject({
      applied: false,
      late: false,
    });
    await apply(store, remove("a"));
    expect(await attempt(store, { expect: absent, put: done })).toMatchObject({ applied: true });
  });

  it("a key expected at a revision must stand at exactly that one", async (store) => {
    const old = await apply(store, put("a", "old"));
    const current = await apply(store, put("a", "current"));
    for (const [revision, applied] of [
      [old, false],
      [current + 1, false],
      [0, false],
      [current, true],
    ] as const) {
      expect(await attempt(store, { expect: [{ key: "a", revision }], put: done })).toMatchObject({
        applied,
      });
    }
  });

  it("a removed key stands at no revision", async (store) => {
    const revision = await apply(store, put("a"));
    await apply(store, remove("a"));
    expect(await attempt(store, { expect: [{ key: "a", revision }] })).toMatchObject({ applied: false });
  });

  it("of several expectations all must hold", async (store) => {
    const revision = await apply(store, put("a"));
    const outcome = await attempt(store, {
      expect: [
        { key: "a", revision },
        { key: "b", revision: 0 },
        { key: "c", revision },
      ],
      put: done,
    });
    expect(outcome).toMatchObject({ applied: false });
    expect(await entryAt(store, "done")).toBeUndefined();
  });

  it("a refused change is told what stands at each key that it expected, in that order", async (store) => {
    const a = await apply(store, put("a", "A"));
    const b = await apply(store, put("b", { deep: [1, null] }));
    const outcome = await attempt(store, {
      expect: [
        { key: "b", revision: 0 },
        { range: { prefix: "z" }, unchangedSince: b },
        { key: "absent", revision: a },
        { key: "a", revision: a },
      ],
    });
    expect(outcome).toEqual({
      applied: false,
      late: false,
      found: [
        { key: "b", revision: b, value: { deep: [1, null] } },
        undefined,
        { key: "a", revision: a, value: "A" },
      ],
    });
  });

  it("of two changes that expect the same revision of a key, one is applied", async (store) => {
    const revision = await apply(store, put("a", 0));
    const rival = (value: number) =>
      store.commit([change({ expect: [{ key: "a", revision }], put: [{ key: "a", value }] })]);
    const replies = await Promise.all([rival(1), rival(2), rival(3)]);
    expect(replies.filter((reply) => reply.outcomes[0]?.applied)).toHaveLength(1);
  });

  rangeExpectationCases(it);
}

function rangeExpectationCases(it: Case): void {
  const fruit: Range = { prefix: "fruit/" };

  it("a range that nothing was written to since it was read is unchanged", async (store) => {
    await apply(store, put("fruit/apple"), put("fruit/pear"));
    const { revision } = await store.read({ ranges: [fruit] });
    await apply(store, put("fruit"), put("fruit0"), put("vegetable/leek"));
    const unchanged = { range: fruit, unchangedSince: revision };
    expect(await attempt(store, { expect: [unchanged], put: done })).toMatchObject({ applied: true });
  });

  it("a range that was never written to is unchanged since revision 0 and since any other", async (store) => {
    expect(await attempt(store, { expect: [{ range: fruit, unchangedSince: 0 }] })).toMatchObject({
      applied: true,
    });
    const later = await apply(store, put("vegetable/leek"));
    for (const unchangedSince of [0, later]) {
      expect(await attempt(store, { expect: [{ range: fruit, unchangedSince }] })).toMatchObject({
        applied: true,
      });
    }
  });

  it("a range in which an entry was replaced is changed", async (store) => {
    await apply(store, put("fruit/apple"));
    const { revision } = await store.read({ ranges: [fruit] });
    await apply(store, put("fruit/apple", "another"));
    const outcome = await attempt(store, { expect: [{ range: fruit, unchangedSince: revision }], put: done });
    expect(outcome).toEqual({ applied: false, late: false, found: [] });
    expect(await entryAt(store, "done")).toBeUndefined();
  });

  it("a range to which a key was added is changed, at its beginning, middle and end", async (store) => {
    await apply(store, put("fruit/b"), put("fruit/d"));
    for (const added of ["fruit/a", "fruit/c", "fruit/e", "fruit/\u{10ffff}", "fruit/"]) {
      const { revision } = await store.read({ ranges: [fruit] });
      await apply(store, put(added));
      const expected = { range: fruit, unchangedSince: revision };
      const { applied } = await attempt(store, { expect: [expected] });
      expect({ added, applied }).toEqual({ added, applied: false });
    }
  });

  it("a range that was empty when it was read is changed by its first key", async (store) => {
    await apply(store, put("vegetable/leek"));
    const { revision } = await store.read({ ranges: [fruit] });
    await apply(store, put("fruit/apple"));
    const expected = { range: fruit, unchangedSince: revision };
    expect(await attempt(store, { expect: [expected] })).toMatchObject({ applied: false });
  });

  it("a range with `after` is changed only by what lies behind it", async (store) => {
    await apply(store, put("fruit/a"), put("fruit/m"));
    const range = { prefix: "fruit/", after: "fruit/c" };
    const { revision } = await store.read({ ranges: [range] });
    await apply(store, put("fruit/b"));
    const expected = { range, unchangedSince: revision };
    expect(await attempt(store, { expect: [expected] })).toMatchObject({ applied: true });
    await apply(store, put("fruit/d"));
    expect(await attempt(store, { expect: [expected] })).toMatchObject({ applied: false });
  });

  it("a key that was put and removed since, or only removed, may go unnoticed, but the change stays whole", async (store) => {
    await apply(store, put("fruit/apple"));
    const { revision } = await store.read({ ranges: [fruit] });
    await apply(store, put("fruit/pear"));
    await apply(store, remove("fruit/pear", "fruit/apple"));
    const outcome = await attempt(store, { expect: [{ range: fruit, unchangedSince: revision }], put: done });
    expect((await entryAt(store, "done")) !== undefined).toBe(outcome.applied);
  });

  it("expectations on keys and on ranges must hold together", async (store) => {
    const revision = await apply(store, put("fruit/apple"), put("a"));
    const key = { key: "a", revision };
    const range = { range: fruit, unchangedSince: revision };
    expect(await attempt(store, { expect: [key, range], put: done })).toMatchObject({ applied: true });
    expect(await attempt(store, { expect: [{ key: "a", revision: 0 }, range] })).toMatchObject({
      applied: false,
    });
    await apply(store, put("fruit/pear"));
    expect(await attempt(store, { expect: [key, range] })).toMatchObject({ applied: false });
  });
}
