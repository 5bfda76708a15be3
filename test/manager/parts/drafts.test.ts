/** The drafts of a batch: whose they are, until when, and which are used again. */
import { describe, expect, test } from "vitest";
import { Drafts, note } from "../../../src/manager/drafts.js";
import { Cell, type Draft } from "../../../src/manager/job.js";

/** A cell that says so. */
function cell(value: string): Cell {
  const made = new Cell(value);
  made.learn({ key: value, value, revision: 5 }, 1);
  return made;
}

describe("A draft", () => {
  test("begins from its cell, which has it until its batch is left.", () => {
    const drafts = new Drafts([]);
    const cells = [cell("a"), cell("b")];
    const made = cells.map((one) => drafts.of(one));
    expect(made).toMatchObject([
      { value: "a", base: 5, written: false },
      { value: "b", base: 5, written: false },
    ]);
    expect(cells.map(({ draft }) => draft)).toEqual(made);
    drafts.leave();
    expect(cells.map(({ draft }) => draft)).toEqual([undefined, undefined]);
    expect(made).toMatchObject([{ value: "a" }, { value: "b" }]);
  });

  test("is used again once it was put back, and not before.", () => {
    const spare: Drafts[] = [];
    const drafts = new Drafts(spare);
    const [a, b] = [cell("a"), cell("b")];
    const first = drafts.of(a);
    Object.assign(first, { value: "new", written: true, writer: 3, reader: 3 });
    drafts.leave();
    expect([drafts.of(b) === first, spare]).toEqual([false, []]);
    drafts.putBack();
    expect([spare, b.draft]).toEqual([[drafts], undefined]);
    expect(drafts.of(b)).toBe(first);
    expect(first).toMatchObject({ cell: b, value: "b", base: 5, written: false, writer: 0, reader: 0 });
    expect([a.draft, b.draft]).toEqual([undefined, first]);
  });

  test("that was put back does not stand for its old cell any more.", () => {
    const [one, two] = [new Drafts([]), new Drafts([])];
    const [a, b] = [cell("a"), cell("b")];
    one.of(a);
    one.of(b);
    one.putBack();
    one.of(a);
    const other = two.of(b);
    one.leave();
    expect([a.draft, b.draft]).toEqual([undefined, other]);
  });

  test("beyond those that were put back is made, and left with them.", () => {
    const drafts = new Drafts([]);
    const cells = [cell("a"), cell("b"), cell("c")];
    drafts.of(cells[0]!);
    drafts.putBack();
    expect(new Set(cells.map((one) => drafts.of(one))).size).toBe(3);
    drafts.leave();
    expect(cells.map(({ draft }) => draft)).toEqual([undefined, undefined, undefined]);
  });

  test("is kept among 4,096 at most.", () => {
    const drafts = new Drafts([]);
    const a = cell("a");
    const make = (): Draft[] => Array.from({ length: 5_000 }, () => drafts.of(a));
    const made = new Set(make());
    drafts.putBack();
    expect(make().filter((draft) => made.has(draft))).toHaveLength(4_096);
  });
});

test("A cell counts who expects it and who writes it.", () => {
  const drafts = new Drafts([]);
  const [a, b] = [cell("a"), cell("b")];
  const [ofA, ofB] = [drafts.of(a), drafts.of(b)];
  note([ofA, ofB], [ofA], 1);
  note([ofB], [ofA], 1);
  expect([a, b]).toMatchObject([
    { expecting: 1, writing: 2 },
    { expecting: 2, writing: 0 },
  ]);
  note([ofA, ofB], [ofA], -1);
  expect([a, b]).toMatchObject([
    { expecting: 0, writing: 1 },
    { expecting: 1, writing: 0 },
  ]);
});
