import { expect } from "vitest";
import type { Store } from "../../../src/store/store.js";
import { apply, change, keysIn, put, remove } from "../changes.js";
import type { Case } from "../store-suite.js";

export function rangeCases(it: Case): void {
  it("a range has the keys that begin with the prefix, itself included, and no others", async (store) => {
    await fill(store, ["a", "a/", "a/1", "a/1/x", "a0", "a-", "A/1", "b"]);
    expect(await keysIn(store, { prefix: "a/" })).toEqual(["a/", "a/1", "a/1/x"]);
    expect(await keysIn(store, { prefix: "a/1" })).toEqual(["a/1", "a/1/x"]);
    expect(await keysIn(store, { prefix: "c" })).toEqual([]);
  });

  it("the empty prefix is every key", async (store) => {
    await fill(store, ["b", "a", "c/d"]);
    expect(await keysIn(store, { prefix: "" })).toEqual(["a", "b", "c/d"]);
  });

  it("a limit cuts the range short, at its beginning", async (store) => {
    await fill(store, ["a/1", "a/2", "a/3"]);
    expect(await keysIn(store, { prefix: "a/", limit: 2 })).toEqual(["a/1", "a/2"]);
    expect(await keysIn(store, { prefix: "a/", limit: 3 })).toHaveLength(3);
    expect(await keysIn(store, { prefix: "a/", limit: 99 })).toHaveLength(3);
  });

  it("`after` is left out itself, and need not exist", async (store) => {
    await fill(store, ["a/1", "a/3", "a/5"]);
    expect(await keysIn(store, { prefix: "a/", after: "a/3" })).toEqual(["a/5"]);
    expect(await keysIn(store, { prefix: "a/", after: "a/2" })).toEqual(["a/3", "a/5"]);
    expect(await keysIn(store, { prefix: "a/", after: "a/5" })).toEqual([]);
    expect(await keysIn(store, { prefix: "a/", after: "a/2", limit: 1 })).toEqual(["a/3"]);
  });

  it("`after` may lie outside the prefix", async (store) => {
    await fill(store, ["a/1", "b/1", "b/2", "c/1"]);
    expect(await keysIn(store, { prefix: "b/", after: "a/1" })).toEqual(["b/1", "b/2"]);
    expect(await keysIn(store, { prefix: "b/", after: "c/1" })).toEqual([]);
  });

  it("pages are the whole range in order, each key once", async (store) => {
    const keys = Array.from({ length: 53 }, (_, number) => `page/${String(number).padStart(3, "0")}`);
    await fill(store, keys.toReversed());
    const paged: string[] = [];
    for (;;) {
      const after = paged.at(-1);
      const page = await keysIn(store, { prefix: "page/", limit: 10, ...(after !== undefined && { after }) });
      if (page.length === 0) break;
      paged.push(...page);
    }
    expect(paged).toEqual(keys);
  });

  it("keys are in the byte order of UTF-8, also beyond ASCII and for surrogate pairs", async (store) => {
    const keys = [
      "A",
      "Z",
      "a",
      "z",
      "é",
      "ß",
      "Ω",
      "漢",
      "\ud7ff",
      "\ue000",
      "\uffee",
      "😀",
      "\u{10fffd}",
    ].flatMap((key) => [`o/${key}`, `o/${key}/x`, `o/${key}0`]);
    await fill(store, shuffled(keys));
    const sorted = keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    expect(await keysIn(store, { prefix: "o/" })).toEqual(sorted);
    const middle = sorted.indexOf("o/\uffee");
    expect(await keysIn(store, { prefix: "o/", after: "o/\uffee" })).toEqual(sorted.slice(middle + 1));
    expect(await keysIn(store, { prefix: "o/😀" })).toEqual(["o/😀", "o/😀/x", "o/😀0"]);
  });

  it("a range follows every put and removal", async (store) => {
    await fill(store, ["a/1", "a/2", "a/3"]);
    await apply(store, remove("a/2"));
    expect(await keysIn(store, { prefix: "a/" })).toEqual(["a/1", "a/3"]);
    await apply(store, put("a/2"), put("a/0"));
    expect(await keysIn(store, { prefix: "a/" })).toEqual(["a/0", "a/1", "a/2", "a/3"]);
    await apply(store, remove("a/0", "a/1", "a/2", "a/3"));
    expect(await keysIn(store, { prefix: "a/" })).toEqual([]);
  });

  it("a queue is drained from its front, one key at a time", async (store) => {
    const keys = Array.from({ length: 60 }, (_, number) => `queue/${String(number).padStart(16, "0")}`);
    await fill(store, keys);
    for (const key of keys) {
      expect(await keysIn(store, { prefix: "queue/", limit: 1 })).toEqual([key]);
      await apply(store, remove(key));
    }
    expect(await keysIn(store, { prefix: "queue/" })).toEqual([]);
  });
}

async function fill(store: Store, keys: readonly string[]): Promise<void> {
  for (let from = 0; from < keys.length; from += 100) {
    const some = keys.slice(from, from + 100);
    await apply(store, change({ put: some.map((key) => ({ key, value: 1 })) }));
  }
}

/** The same order in every run, and far from sorted. */
function shuffled(keys: readonly string[]): string[] {
  return keys.map((_, place) => keys[(place * 17 + 5) % keys.length]!);
}
