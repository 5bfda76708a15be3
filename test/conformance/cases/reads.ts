import { expect } from "vitest";
import { apply, change, put, remove } from "../changes.js";
import type { Case } from "../store-suite.js";

export function readCases(it: Case): void {
  it("nothing was ever committed: revision 0, nothing to find", async (store) => {
    const reply = await store.read({ keys: ["a"], ranges: [{ prefix: "" }] });
    expect(reply).toMatchObject({ entries: [undefined], ranges: [[]], revision: 0 });
  });

  it("an empty query still tells the revision and the time", async (store) => {
    const revision = await apply(store, put("a"));
    const reply = await store.read({});
    expect(reply).toMatchObject({ entries: [], ranges: [], revision });
    expect(reply.storeTime).toBeGreaterThan(0);
  });

  it("entries come in the order asked for, absent ones as undefined, repeated ones each time", async (store) => {
    await apply(store, put("a", 1), put("b", 2));
    const { entries } = await store.read({ keys: ["b", "absent", "a", "b"] });
    expect(entries.map((entry) => entry?.value)).toEqual([2, undefined, 1, 2]);
  });

  it("ranges come in the order asked for and may overlap", async (store) => {
    await apply(store, put("a/1"), put("a/2"), put("b/1"));
    const { ranges } = await store.read({
      ranges: [{ prefix: "b/" }, { prefix: "none/" }, { prefix: "a/" }, { prefix: "" }],
    });
    expect(ranges.map((range) => range.map((entry) => entry.key))).toEqual([
      ["b/1"],
      [],
      ["a/1", "a/2"],
      ["a/1", "a/2", "b/1"],
    ]);
  });

  it("a range has whole entries", async (store) => {
    const revision = await apply(store, put("a/1", { n: 1 }));
    const { ranges } = await store.read({ ranges: [{ prefix: "a/" }] });
    expect(ranges).toEqual([[{ key: "a/1", revision, value: { n: 1 } }]]);
  });

  it("the revision read is that of the last commit, also when that one only removed", async (store) => {
    await apply(store, put("a"));
    const removal = await apply(store, remove("a"));
    expect((await store.read({})).revision).toBe(removal);
  });

  it("a refused commit does not move the revision that is read", async (store) => {
    const revision = await apply(store, put("a"));
    await store.commit([change({ expect: [{ key: "a", revision: 0 }], put: [{ key: "b", value: 1 }] })]);
    expect((await store.read({})).revision).toBe(revision);
  });

  it("what a read returned does not change when the store does", async (store) => {
    await apply(store, put("a", 1), put("b", 1));
    const before = await store.read({ keys: ["a"], ranges: [{ prefix: "" }] });
    const copy = structuredClone(before);
    await apply(store, put("a", 2), put("c", 2));
    await apply(store, remove("b"));
    expect(before).toEqual(copy);
  });

  it("a read is one snapshot: keys and ranges agree while others write", async (store) => {
    await apply(store, put("from/token"));
    const writing = (async () => {
      for (let round = 0; round < 50; round += 1) {
        const [to, from] = round % 2 === 0 ? ["to/token", "from/token"] : ["from/token", "to/token"];
        await apply(store, change({ put: [{ key: to, value: round }], remove: [from] }));
      }
    })();
    for (let round = 0; round < 50; round += 1) {
      const { entries, ranges } = await store.read({
        keys: ["from/token", "to/token"],
        ranges: [{ prefix: "from/" }, { prefix: "to/" }],
      });
      expect(entries.filter((entry) => entry !== undefined)).toHaveLength(1);
      expect(ranges.map((range) => range[0])).toEqual(entries);
    }
    await writing;
  });

  it("store time does not go back from one answer to the next", async (store) => {
    let last = 0;
    for (let round = 0; round < 50; round += 1) {
      const { storeTime } = round % 2 === 0 ? await store.commit([put("a", round)]) : await store.read({});
      expect(storeTime).toBeGreaterThanOrEqual(last);
      last = storeTime;
    }
  });
}
