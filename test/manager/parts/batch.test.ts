/** Which plans become one change, and what that change asks of the store. */
import { describe, expect, test } from "vitest";
import type { View } from "../../../src/core/view.js";
import { Batch, changeOf } from "../../../src/manager/batch.js";
import { Job } from "../../../src/manager/job.js";
import { Planner } from "../../../src/manager/planner.js";
import type { Change } from "../../../src/store/store.js";

type Plan = (view: View) => unknown;

/** Plans one job after the other as one batch. */
class Planned {
  readonly planner = new Planner();
  readonly #batch: Batch;
  #jobs = 0;

  constructor(maxKeys = 1000) {
    this.#batch = new Batch(512, maxKeys);
    this.planner.begin(1000, 1000, "m1");
  }

  /** Whether the job found a place. Ranges were read for it, and were empty. */
  place(plan: Plan, how: { readonly alone?: boolean; readonly ranges?: readonly string[] } = {}): boolean {
    const job = new Job({ plan, done: unexpected, fail: unexpected }, ++this.#jobs, 0, undefined);
    job.alone = how.alone ?? false;
    job.loaded = (how.ranges ?? []).map((prefix) => ({ range: { prefix }, found: [], revision: 7 }));
    expect(this.planner.plan(job)).toEqual([]);
    const isPlaced = this.#batch.place(job);
    if (!isPlaced) this.planner.undo();
    return isPlaced;
  }

  /** That key stands in the store. */
  know(key: string, revision: number): void {
    const job = new Job(
      { plan: (view) => view.get(key), done: unexpected, fail: unexpected },
      0,
      0,
      undefined,
    );
    this.planner.plan(job);
    for (const { cell } of job.reads) cell.learn({ key, revision, value: true }, 1);
    this.planner.begin(1000, 1000, "m1");
  }

  /** The numbers of the jobs of each change. */
  get groups(): number[][] {
    return this.#batch.groups().map((group) => group.jobs.map((job) => job.number));
  }

  changes(patience = 5000): Change[] {
    return this.#batch.groups().map((group) => changeOf(group, patience));
  }
}

function unexpected(): never {
  throw new Error("Nothing is sent here.");
}

function reads(...keys: string[]): Plan {
  return (view) => {
    for (const key of keys) view.get(key);
  };
}

function writes(...keys: string[]): Plan {
  return (view) => {
    for (const key of keys) view.put(key, true);
  };
}

describe("Jobs become one change", () => {
  test("when one writes what another wrote or read, or reads what it wrote.", () => {
    for (const [one, other] of [
      [writes("a"), writes("a")],
      [reads("a"), writes("a")],
      [writes("a"), reads("a")],
    ] as const) {
      const planned = new Planned();
      expect([planned.place(one), planned.place(other)]).toEqual([true, true]);
      expect(planned.groups).toEqual([[1, 2]]);
    }
  });

  test("but not when they meet nowhere, or only read the same.", () => {
    const planned = new Planned();
    planned.place(reads("a", "b"));
    planned.place(writes("c"));
    planned.place(reads("b"));
    expect(planned.groups).toEqual([[1], [2], [3]]);
  });

  test("with all that they meet, and in the order of the first of them.", () => {
    const planned = new Planned();
    planned.place(writes("z"));
    planned.place(writes("a"));
    planned.place(writes("b"));
    planned.place(writes("c"));
    planned.place(writes("a", "b", "c"));
    expect(planned.groups).toEqual([[1], [2, 3, 4, 5]]);
    planned.place(writes("c"));
    planned.place(reads("b"));
    expect(planned.groups).toEqual([[1], [2, 3, 4, 5, 6, 7]]);
  });

  test("also when the one that is met has itself been taken in.", () => {
    const planned = new Planned();
    planned.place(writes("a"));
    planned.place(writes("b"));
    planned.place(reads("c"));
    planned.place(writes("a", "b"));
    planned.place(reads("b", "c"));
    expect(planned.groups).toEqual([[1, 2, 4, 5], [3]]);
  });

  test("when one of them has read what it now writes.", () => {
    const planned = new Planned();
    planned.place(reads("a"));
    planned.place(writes("b"));
    planned.place((view) => {
      view.get("a");
      view.put("b", true);
    });
    expect(planned.place(writes("b"))).toBe(true);
    expect(planned.groups).toEqual([[1], [2, 3, 4]]);
  });
});

describe("A job waits for the next batch", () => {
  test("when it writes what several read that are no one change.", () => {
    const planned = new Planned();
    planned.place(reads("a"));
    planned.place(reads("a"));
    expect(planned.place(writes("a"))).toBe(false);
    planned.place(reads("a"));
    expect(planned.place(writes("a"))).toBe(false);
    expect(planned.groups).toEqual([[1], [2], [4]]);
  });

  test("but not when those that read it have become one change meanwhile.", () => {
    const planned = new Planned();
    planned.place(writes("a"));
    planned.place((view) => {
      view.get("b");
      view.put("a", true);
    });
    planned.place((view) => {
      view.get("b");
      view.put("a", true);
    });
    expect(planned.place(writes("b"))).toBe(true);
    expect(planned.groups).toEqual([[1, 2, 3, 4]]);
  });

  test("when it would be the thirty-third of one change.", () => {
    const planned = new Planned();
    for (let i = 0; i < 32; i++) expect(planned.place(writes("a"))).toBe(true);
    expect(planned.place(writes("a"))).toBe(false);
    expect(planned.place(writes("b"))).toBe(true);
  });

  test("when the groups that it would join are too many jobs together.", () => {
    const planned = new Planned();
    for (let i = 0; i < 16; i++) planned.place(writes("a"));
    for (let i = 0; i < 15; i++) planned.place(writes("b"));
    expect(planned.place(writes("a", "b"))).toBe(true);
    expect(planned.place(writes("a"))).toBe(false);
  });

  test("when their change would name more keys than the store takes.", () => {
    const planned = new Planned(5);
    planned.place(writes("a"));
    planned.place(writes("b", "c"));
    expect(planned.place(writes("a", "b", "d"))).toBe(false);
    expect(planned.place(writes("a", "b"))).toBe(true);
    expect(planned.place(writes("a"))).toBe(false);
    expect(planned.place((view) => view.index("e", 1))).toBe(true);
    expect(planned.place(writes("e"))).toBe(true);
    // On its own it may name as many as it likes: whether the store takes them was seen before.
    expect(planned.place(writes("1", "2", "3", "4", "5", "6"))).toBe(true);
  });

  test("when index entries make it too many keys.", () => {
    const planned = new Planned(3);
    planned.place((view) => {
      view.put("a", 1);
      view.index("b", 1);
      view.index("c", 1);
    });
    expect(planned.place(writes("a"))).toBe(false);
  });

  test("when it is to be tried alone, or the one that it meets is.", () => {
    const planned = new Planned();
    expect(planned.place(writes("a"), { alone: true })).toBe(true);
    expect(planned.place(writes("a"))).toBe(false);
    planned.place(writes("b"));
    planned.place(writes("b"));
    expect(planned.place(writes("b"), { alone: true })).toBe(false);
    expect(planned.place(writes("b", "a"))).toBe(false);
    expect(planned.groups).toEqual([[1], [3, 4]]);
  });
});

describe("A range", () => {
  const looks: Plan = (view) => {
    view.range("a/");
  };

  test.each<[string, Plan]>([
    ["puts", writes("a/1")],
    ["removes", (view) => view.remove("a/1")],
    ["indexes", (view) => view.index("a/1", 1)],
  ])("is not expected by one change while another %s something there.", (_what, plan) => {
    const before = new Planned();
    expect([before.place(plan), before.place(looks, { ranges: ["a/"] })]).toEqual([true, false]);
    const after = new Planned();
    expect([after.place(looks, { ranges: ["a/"] }), after.place(plan)]).toEqual([true, false]);
  });

  test("among several is expected as well.", () => {
    const planned = new Planned();
    const looksTwice: Plan = (view) => [view.range("a/"), view.range("b/")];
    expect(planned.place(looksTwice, { ranges: ["a/", "b/"] })).toBe(true);
    expect([planned.place(writes("a/1")), planned.place(writes("b/1"))]).toEqual([false, false]);
  });

  test("is not read while one of several jobs of a change writes there.", () => {
    const planned = new Planned();
    planned.place(writes("meet"));
    planned.place(writes("meet", "a/1"));
    expect(planned.place(looks, { ranges: ["a/"] })).toBe(false);
  });

  test("does not mind what is written elsewhere.", () => {
    const planned = new Planned();
    expect(planned.place(writes("b/1"))).toBe(true);
    expect(planned.place(looks, { ranges: ["a/"] })).toBe(true);
    expect(planned.place((view) => view.index("ab", 1))).toBe(true);
    expect(planned.groups).toEqual([[1], [2], [3]]);
  });

  test("does not show what its own change wrote there before, but that may write there afterwards.", () => {
    const looksAndMeets: Plan = (view) => {
      view.range("a/");
      view.put("meet", true);
    };
    const before = new Planned();
    before.place(writes("a/1", "meet"));
    expect(before.place(looksAndMeets, { ranges: ["a/"] })).toBe(false);
    const after = new Planned();
    after.place(looksAndMeets, { ranges: ["a/"] });
    expect(after.place(writes("a/1", "meet"))).toBe(true);
    expect(after.place(writes("a/2"))).toBe(false);
    expect(after.groups).toEqual([[1, 2]]);
  });

  test("counts for all of a change that has taken in the one that read it.", () => {
    const planned = new Planned();
    planned.place(writes("x"));
    planned.place(
      (view) => {
        view.range("a/");
        view.put("y", true);
      },
      { ranges: ["a/"] },
    );
    planned.place(writes("x", "y"));
    expect(planned.place(writes("a/1"))).toBe(false);
    expect(planned.place(writes("x", "a/1"))).toBe(true);
  });
});

describe("A change", () => {
  test("expects each key that was read, once, at the revision from which all was planned.", () => {
    const planned = new Planned();
    planned.place((view) => {
      view.get("a");
      view.put("b", 1);
    });
    planned.place((view) => {
      view.get("a");
      view.get("b");
      view.get("c");
      view.put("b", 2);
    });
    expect(planned.changes()).toEqual([
      {
        expect: [
          { key: "a", revision: 0 },
          { key: "b", revision: 0 },
          { key: "c", revision: 0 },
        ],
        put: [{ key: "b", value: 2 }],
        remove: [],
        announce: [],
        notAfter: 5000,
      },
    ]);
  });

  test("expects the ranges that were read to be unchanged since.", () => {
    const planned = new Planned();
    planned.place(
      (view) => {
        view.range("a/");
      },
      { ranges: ["a/"] },
    );
    expect(planned.changes()[0]?.expect).toEqual([{ range: { prefix: "a/" }, unchangedSince: 7 }]);
  });

  test("removes what may be there, not what it expects to be absent.", () => {
    const planned = new Planned();
    planned.know("there", 3);
    planned.place((view) => {
      for (const key of ["absent", "there"]) view.get(key);
      for (const key of ["absent", "there", "unseen"]) view.remove(key);
    });
    expect(planned.changes()[0]).toMatchObject({ put: [], remove: ["there", "unseen"] });
  });

  test.each([2, 16, 17, 40])("leaves each of %i index entries as it was last.", (count) => {
    const planned = new Planned();
    planned.place((view) => {
      for (let i = 0; i < count - 1; i++) view.index(`k${i % 5}`, i);
      view.unindex("k0");
    });
    const [change] = planned.changes();
    const last = new Map(Array.from({ length: count - 1 }, (_, i) => [`k${i % 5}`, i]));
    last.delete("k0");
    expect(new Map(change?.put.map(({ key, value }) => [key, value]))).toEqual(last);
    expect(change?.put).toHaveLength(last.size);
    expect(change?.remove).toEqual(["k0"]);
  });

  test("of several jobs has the index entries of them all, each as it was last.", () => {
    const planned = new Planned();
    planned.place((view) => {
      view.put("meet", 1);
      view.index("a", 1);
      view.index("b", 1);
    });
    planned.place((view) => {
      view.put("meet", 2);
      view.unindex("a");
    });
    expect(planned.changes()[0]).toMatchObject({
      put: [
        { key: "meet", value: 2 },
        { key: "b", value: 1 },
      ],
      remove: ["a"],
    });
  });

  test("announces each path once, with its queue as the change leaves it.", () => {
    const planned = new Planned();
    planned.place((view) => {
      view.putLock("/a", { holders: [], queue: { head: 1, next: 3, waiting: 2, trees: 0 } });
      view.announce("/a");
      view.announce("/b");
    });
    planned.place((view) => {
      view.putLock("/a", { holders: [], queue: { head: 2, next: 3, waiting: 1, trees: 0 } });
      view.announce("/a");
    });
    expect(planned.changes()[0]?.announce).toEqual(["/a\t2 3 1 0", "/b"]);
  });

  test("is no longer applied when the first of its plans would be wrong, or when patience ends.", () => {
    const planned = new Planned();
    planned.place((view) => {
      view.put("a", 1);
      view.before(4000);
      view.before(4500);
    });
    planned.place((view) => {
      view.put("a", 2);
      view.before(3000);
    });
    planned.place(writes("a"));
    expect(planned.changes()[0]?.notAfter).toBe(3000);
    expect(planned.changes(2000)[0]?.notAfter).toBe(2000);
  });
});
