import { expect } from "vitest";
import type { Json } from "../../../src/store/store.js";
import { apply, attempt, change, entryAt, keysIn, put, remove, valueAt } from "../changes.js";
import type { Case } from "../store-suite.js";

const oddKeys = [
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "lock/__proto__/x",
  "with space",
  "percent%2Fescaped",
  "percent%escaped",
  "under_score",
  "underXscore",
  "star*",
  "question?",
  "[class]",
  "{brace}",
  "back\\slash",
  "quote'",
  'double"quote',
  "$1",
  "semi;colon--",
  "colon:",
  "dot.dot",
  "..",
  "#hash",
  "é",
  "e\u0301",
  "😀",
];

export function keyAndValueCases(it: Case): void {
  it("odd keys are keys like any other", async (store) => {
    await apply(store, change({ put: oddKeys.map((key) => ({ key, value: `value of ${key}` })) }));
    for (const key of oddKeys) expect(await valueAt(store, key)).toBe(`value of ${key}`);
    expect(new Set(await keysIn(store, { prefix: "" }))).toEqual(new Set(oddKeys));
    for (const key of oddKeys) expect(await keysIn(store, { prefix: key })).toContain(key);
    await apply(store, remove("__proto__", "percent%escaped", "star*"));
    expect(await entryAt(store, "percent%2Fescaped")).toBeDefined();
    expect(await entryAt(store, "__proto__")).toBeUndefined();
  });

  it("wildcards of query languages mean nothing in a prefix", async (store) => {
    await apply(store, put("a_b"), put("aXb"), put("a%"), put("a*"), put("aZZ"), put("a[bc]"), put("ab"));
    expect(await keysIn(store, { prefix: "a_" })).toEqual(["a_b"]);
    expect(await keysIn(store, { prefix: "a%" })).toEqual(["a%"]);
    expect(await keysIn(store, { prefix: "a*" })).toEqual(["a*"]);
    expect(await keysIn(store, { prefix: "a[bc]" })).toEqual(["a[bc]"]);
  });

  it("keys that differ only in case or in Unicode form are different keys", async (store) => {
    await apply(store, put("Ä", 1), put("A\u0308", 2), put("ä", 3));
    expect(await Promise.all(["Ä", "A\u0308", "ä"].map((key) => valueAt(store, key)))).toEqual([1, 2, 3]);
  });

  it("a key may be 3,000 bytes long", async (store) => {
    const key = `${"long/".repeat(599)}é`;
    const other = `${"long/".repeat(599)}è`;
    await apply(store, put(key, 1), put(other, 2));
    expect(await valueAt(store, key)).toBe(1);
    expect(await keysIn(store, { prefix: key.slice(0, -1) })).toEqual([other, key]);
  });

  it("every kind of JSON value comes back as it was put", async (store) => {
    const values: Json[] = [
      null,
      true,
      false,
      0,
      -1.5,
      1e300,
      Number.MAX_SAFE_INTEGER,
      1_790_000_000_000_001,
      "",
      'text with "quotes", \\ and \n\u0000\u2028',
      "漢字 😀 e\u0301",
      [],
      {},
      [1, [2, [3, { four: [null] }]]],
      { a: { b: { c: "d" } }, "": 1, "with space": true },
      JSON.parse('{"__proto__": {"polluted": true}, "constructor": 1}'),
    ];
    await apply(store, change({ put: values.map((value, number) => ({ key: `value ${number}`, value })) }));
    for (const [number, value] of values.entries()) {
      expect(JSON.stringify(await valueAt(store, `value ${number}`))).toBe(JSON.stringify(value));
    }
  });

  it("a big value comes back whole", async (store) => {
    const value = { text: "0123456789é😀".repeat(20_000) };
    await apply(store, put("big", value));
    expect(await valueAt(store, "big")).toEqual(value);
  });

  it("a value of `null` is there, unlike an absent key", async (store) => {
    const revision = await apply(store, put("null", null));
    expect(await entryAt(store, "null")).toEqual({ key: "null", revision, value: null });
    expect(await attempt(store, { expect: [{ key: "null", revision: 0 }] })).toMatchObject({
      applied: false,
    });
  });
}
