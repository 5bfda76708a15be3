/** What a plan sees of earlier plans of its batch, what it leaves behind, and what the manager believes beside. */
import { describe, expect, test } from "vitest";
import { aboutHolder } from "../../../src/core/happening.js";
import type { Queue } from "../../../src/core/records.js";
import type { View } from "../../../src/core/view.js";
import { Cell, Job, type ReadRange } from "../../../src/manager/job.js";
import { type Missing, Planner } from "../../../src/manager/planner.js";
import { holder } from "./holder.js";

const queue: Queue = { head: 1, next: 2, waiting: 1, trees: 0 };

class Bench {
  readonly planner = new Planner();
  missing: Missing = [];

  constructor() {
    this.begin();
  }

  begin(): void {
    this.planner.begin(1000, 1010, "m1");
  }

  plan(plan: (view: View) => unknown, loaded: readonly ReadRange[] = []): Job {
    const job = new Job({ plan, done: unexpected, fail: unexpected }, 1, 0, undefined);
    job.loaded = loaded;
    this.missing = this.planner.plan(job);
    return job;
  }

  /** What a plan answers. */
  ask(plan: (view: View) => unknown): unknown {
    return this.plan(plan).reply;
  }

  /** Plans, and says that the store has applied it. */
  commit(plan: (view: View) => void, revision: number): void {
    this.begin();
    for (const { cell, value } of this.plan(plan).writes) cell.wrote(value, revision, revision);
    this.begin();
  }
}

function unexpected(): never {
  throw new Error("Nothing is sent here.");
}

describe("A plan", () => {
  test("knows the time, its manager, and its place in the batch.", () => {
    const bench = new Bench();
    const where = ({ earliest, latest, managerId, ordinal }: View): unknown => [
      earliest,
      latest,
      managerId,
      ordinal,
    ];
    expect(bench.ask(where)).toEqual([1000, 1010, "m1", 1]);
    expect(bench.ask(where)).toEqual([1000, 1010, "m1", 2]);
    bench.begin();
    expect(bench.ask(where)).toEqual([1000, 1010, "m1", 1]);
  });

  test("takes what is not known for absent.", () => {
    const bench = new Bench();
    const seen = bench.ask((view) => [
      view.lock("/a"),
      view.lockRevision("/a"),
      view.agent("ann"),
      view.get("wait/a//a1"),
      view.revision("wait/a//a1"),
    ]);
    expect(seen).toEqual([undefined, 0, { locks: 0, waits: 0 }, undefined, 0]);
  });

  test("sees what earlier plans of its batch put, without a revision; the next batch does not.", () => {
    const bench = new Bench();
    const see = (view: View): unknown => [
      view.lock("/a")?.queue,
      view.lockRevision("/a"),
      view.agent("ann"),
      view.get("x"),
      view.revision("x"),
    ];
    bench.commit((view) => {
      view.putLock("/a", { holders: [], queue });
      view.putAgent("ann", { locks: 1, waits: 0 });
      view.put("x", "old");
    }, 5);
    expect(bench.ask(see)).toEqual([queue, 5, { locks: 1, waits: 0 }, "old", 5]);
    bench.plan((view) => {
      view.putLock("/a", { holders: [], queue: { ...queue, waiting: 9 } });
      view.putAgent("ann", { locks: 0, waits: 2 });
      view.put("x", "new");
    });
    expect(bench.ask(see)).toEqual([{ ...queue, waiting: 9 }, 0, { locks: 0, waits: 2 }, "new", 0]);
    bench.plan((view) => view.remove("x"));
    expect(bench.ask((view) => [view.get("x"), view.revision("x")])).toEqual([undefined, 0]);
    bench.begin();
    expect(bench.ask(see)).toEqual([queue, 5, { locks: 1, waits: 0 }, "old", 5]);
  });

  test("leaves an exact list of what it read and wrote, each once.", () => {
    const bench = new Bench();
    const job = bench.plan((view) => {
      view.get("a");
      view.get("a");
      view.revision("a");
      view.put("b", 1);
      view.put("b", 2);
      view.remove("c");
      view.index("i", 1);
      view.unindex("i");
      view.tell(aboutHolder("acquired", "/a", holder, 0));
    });
    expect(job.happened).toMatchObject([{ type: "acquired", path: "/a" }]);
    expect(job.reads.map(({ cell }) => cell.key)).toEqual(["a"]);
    expect(job.writes.map(({ cell, value }) => [cell.key, value])).toEqual([
      ["b", 2],
      ["c", undefined],
    ]);
    expect(job.indexed).toEqual([
      { key: "i", value: 1 },
      { key: "i", value: undefined },
    ]);
    const after = bench.plan((view) => view.get("a"));
    expect([after.reads.length, after.writes, after.indexed, after.happened]).toEqual([1, [], [], []]);
    expect([job.reads.length, job.writes.length, job.indexed.length]).toEqual([1, 2, 2]);
  });

  test("removes an entry by leaving nothing in it, and only then.", () => {
    const bench = new Bench();
    const job = bench.plan((view) => {
      view.putLock("/free", { holders: [] });
      view.putLock("/waited", { holders: [], queue });
      view.putLock("/held", { holders: [holder] });
      view.putAgent("gone", { locks: 0, waits: 0 });
      view.putAgent("holds", { locks: 1, waits: 0 });
      view.putAgent("waits", { locks: 0, waits: 1 });
    });
    expect(job.writes.map(({ cell, value }) => [cell.key, value !== undefined])).toEqual([
      ["lock/free", false],
      ["lock/waited", true],
      ["lock/held", true],
      ["agent/gone", false],
      ["agent/holds", true],
      ["agent/waits", true],
    ]);
  });

  test("that is undone leaves what the plans before it wrote.", () => {
    const bench = new Bench();
    bench.plan((view) => view.put("x", "first"));
    bench.plan((view) => {
      view.put("x", "second");
      view.put("x", "third");
      view.put("y", "new");
    });
    bench.planner.undo();
    expect(bench.ask((view) => [view.get("x"), view.get("y"), view.knows("x"), view.knows("y")])).toEqual([
      "first",
      undefined,
      true,
      false,
    ]);
    // Undone once is undone: the plan before it stays.
    bench.planner.undo();
    expect(bench.ask((view) => view.get("x"))).toBe("first");
  });

  test("begins anew each time that it is made.", () => {
    const bench = new Bench();
    let isFirst = true;
    const job = bench.plan((view) => {
      if (!isFirst) return;
      view.announce("/a");
      view.announce("/b");
      view.before(500);
      view.before(700);
      view.range("r/");
    });
    expect([job.announced, job.notAfter]).toEqual([["/a", "/b"], 500]);
    isFirst = false;
    expect(bench.planner.plan(job)).toEqual([]);
    expect([job.announced, job.ranges, job.notAfter]).toEqual([[], [], Infinity]);
  });
});

describe("A range", () => {
  const found = [{ key: "r/1", revision: 3, value: 1 }];

  test("that was not read is missing, just as it was asked for.", () => {
    const bench = new Bench();
    expect(
      bench.plan((view) => [view.range("r/"), view.range("r/", 10), view.range("r/", 10, "r/5")]).reply,
    ).toEqual([[], [], []]);
    expect(bench.missing).toStrictEqual([
      { prefix: "r/" },
      { prefix: "r/", limit: 10 },
      { prefix: "r/", limit: 10, after: "r/5" },
    ]);
  });

  test("that was read is expected to be unchanged, unless the plan forgets it.", () => {
    const bench = new Bench();
    const range = { prefix: "r/", limit: 10, after: "r/0" };
    const job = bench.plan((view) => view.range("r/", 10, "r/0"), [{ range, found, revision: 8 }]);
    expect([job.reply, job.ranges]).toEqual([found, [{ range, unchangedSince: 8 }]]);
    expect(bench.missing).toEqual([]);
    const careless = bench.plan(
      (view) => {
        view.range("r/", 10, "r/0");
        view.forgetRanges();
      },
      [{ range, found, revision: 8 }],
    );
    expect(careless.ranges).toEqual([]);
  });

  test.each([
    { prefix: "other/", limit: 10, after: "r/0" },
    { prefix: "r/", limit: 11, after: "r/0" },
    { prefix: "r/", limit: 10, after: "r/1" },
  ])("is no other range: $prefix $limit $after", (range) => {
    const bench = new Bench();
    bench.plan((view) => view.range("r/", 10, "r/0"), [{ range, found, revision: 8 }]);
    expect(bench.missing).toHaveLength(1);
  });
});

describe("What the manager knows of a key", () => {
  test("is what was learned, or put by this batch.", () => {
    const bench = new Bench();
    expect(bench.ask((view) => view.knows("x"))).toBe(false);
    expect(bench.ask((view) => [view.get("x"), view.knows("x")])).toEqual([undefined, false]);
    bench.plan((view) => view.put("x", 1));
    expect(bench.ask((view) => view.knows("x"))).toBe(true);
    bench.begin();
    expect(bench.ask((view) => view.knows("x"))).toBe(false);
    bench.commit((view) => view.remove("x"), 5);
    expect(bench.ask((view) => view.knows("x"))).toBe(true);
  });

  test("is not kept when it is left behind, unless something is there.", () => {
    const bench = new Bench();
    bench.commit((view) => {
      view.remove("left");
      view.put("kept", 1);
      view.remove("known");
    }, 5);
    bench.plan((view) => {
      view.leaveBehind("left");
      view.leaveBehind("kept");
      view.leaveBehind("never seen");
    });
    bench.begin();
    bench.planner.trim();
    const known = bench.ask((view) => ["left", "kept", "known"].map((key) => view.knows(key)));
    expect(known).toEqual([false, true, true]);
    // It was left behind once, and may be learned anew.
    bench.commit((view) => view.remove("left"), 6);
    bench.planner.trim();
    expect(bench.ask((view) => view.knows("left"))).toBe(true);
  });

  test("is bounded, whatever kind of key it is.", () => {
    const bench = new Bench();
    for (let i = 0; i < 50_000; i++) {
      bench.commit((view) => {
        view.putLock(`/${i}`, { holders: [], queue });
        view.putAgent(`agent ${i}`, { locks: 1, waits: 0 });
        view.put(`x${i}`, i);
      }, i + 1);
      bench.planner.trim();
    }
    const known = (i: number): unknown[] => [
      bench.planner.queueAt(`/${i}`),
      bench.ask((view) => view.agent(`agent ${i}`).locks),
      bench.ask((view) => view.get(`x${i}`)),
    ];
    expect(known(0)).toEqual([undefined, 0, undefined]);
    expect(known(49_999)).toEqual([queue, 1, 49_999]);
  });

  test("is forgotten when it is told so, and believed when a hint is newer.", () => {
    const bench = new Bench();
    bench.commit((view) => view.putLock("/a", { holders: [], queue }), 5);
    expect(bench.planner.queueAt("/a")).toEqual(queue);
    bench.planner.hear({ path: "/a", queue: { ...queue, waiting: 4 } }, 4);
    expect(bench.planner.queueAt("/a")?.waiting).toBe(1);
    bench.planner.hear({ path: "/a", queue: { ...queue, waiting: 4 } }, 6);
    bench.begin();
    expect(bench.ask((view) => [view.lock("/a"), view.lockRevision("/a")])).toEqual([
      { holders: [], queue: { ...queue, waiting: 4 } },
      6,
    ]);
    bench.planner.forget("/a");
    expect(bench.planner.queueAt("/a")).toBeUndefined();
    bench.planner.forget("/never seen");
    bench.planner.hear({ path: "/never seen", queue }, 9);
    expect(bench.planner.queueAt("/never seen")).toBeUndefined();
  });
});

test("Outside of a plan there is no view.", () => {
  expect(() => new Planner().announce("/a")).toThrow("only there while a job is planned");
});

describe("A cell", () => {
  const entry = { key: "x", revision: 5, value: "five" };

  test("is what was learned last.", () => {
    const cell = new Cell("x");
    cell.learn(entry, 2);
    expect(cell).toMatchObject({ value: "five", revision: 5, learned: 2 });
    cell.learn(undefined, 3);
    expect(cell).toMatchObject({ value: undefined, revision: 0, learned: 3 });
  });

  test("is proved by a commit that expected what is known, and by no other.", () => {
    const cell = new Cell("x");
    cell.learn(entry, 2);
    cell.prove(4, 7);
    expect(cell.learned).toBe(2);
    cell.prove(5, 7);
    expect(cell.learned).toBe(7);
  });

  test("has no revision once its entry was removed.", () => {
    const cell = new Cell("x");
    cell.wrote("six", 6, 3);
    expect(cell).toMatchObject({ value: "six", revision: 6, learned: 3 });
    cell.wrote(undefined, 7, 4);
    expect(cell).toMatchObject({ value: undefined, revision: 0, learned: 4 });
  });

  test("believes a hint that is newer, as hearsay, and no late one.", () => {
    const cell = new Cell("x");
    cell.learn(entry, 20);
    cell.hear("old", 4);
    cell.hear("same", 5);
    expect(cell).toMatchObject({ value: "five", revision: 5, learned: 20 });
    cell.hear("six", 6);
    expect(cell).toMatchObject({ value: "six", revision: 6, learned: 1 });
  });

  test.each([
    ["says no more", undefined, 9],
    ["says not when", "nine", 0],
  ])("is a guess after a hint that %s.", (_what, value, revision) => {
    const cell = new Cell("x");
    cell.learn(entry, 2);
    cell.hear(value, revision);
    expect(cell).toMatchObject({ value: undefined, revision: 0, learned: 0 });
  });
});
