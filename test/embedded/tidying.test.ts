import { stat } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { openEmbeddedStore } from "../../src/store/embedded/embedded-store.js";
import { Replica } from "../../src/store/embedded/replica.js";
import { decodeRow, encodeRow, type Row } from "../../src/store/embedded/row.js";
import type { Entry } from "../../src/store/store.js";
import { apply, change, keysIn, put, remove } from "../conformance/changes.js";
import { scratch } from "./processes.js";

describe("The log of an embedded store", () => {
  test("stays small however much is written, and keeps what was written once and long ago", {
    timeout: 60_000,
  }, async () => {
    const directory = await scratch();
    let store = await openEmbeddedStore(directory);
    const kept = Array.from({ length: 50 }, (_, number) => `kept/${number}`);
    const revision = await apply(store, change({ put: kept.map((key) => ({ key, value: key })) }));
    await apply(store, put("removed/early"));
    await apply(store, remove("removed/early"));
    for (let round = 0; round < 300; round += 1) {
      const keys = Array.from({ length: 50 }, (_, number) => `churn/${round % 3}/${number}`);
      await apply(store, change({ put: keys.map((key) => ({ key, value: "value ".repeat(20) })) }));
      await apply(store, remove(...keys));
    }
    expect((await stat(join(directory, "locks.mdb"))).size).toBeLessThan(5_000_000);
    await store.close();
    store = await openEmbeddedStore(directory);
    const { ranges } = await store.read({ ranges: [{ prefix: "" }] });
    expect(ranges[0]?.map((entry) => entry.key)).toEqual(kept.toSorted());
    expect(new Set(ranges[0]?.map((entry) => entry.revision))).toEqual(new Set([revision]));
    await store.close();
  });

  test("stays small with big values, too", { timeout: 60_000 }, async () => {
    const directory = await scratch();
    const store = await openEmbeddedStore(directory);
    const big = "0123456789".repeat(20_000);
    for (let round = 0; round < 300; round += 1) await apply(store, put(`big/${round % 5}`, big));
    expect((await stat(join(directory, "locks.mdb"))).size).toBeLessThan(40_000_000);
    expect(await keysIn(store, { prefix: "" })).toHaveLength(5);
    await store.close();
  });

  test("adds up to the same state from wherever it begins", () => {
    const step = fc.record({
      put: fc.uniqueArray(fc.nat(11), { maxLength: 6 }),
      remove: fc.uniqueArray(fc.nat(11), { maxLength: 4 }),
      tidy: fc.nat(3),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), (steps) => {
        const writer = new Replica();
        const log = new Map<number, Buffer>();
        const model = new Map<string, Entry>();
        for (const [index, { put: keys, remove: gone, tidy }] of steps.entries()) {
          const number = index + 1;
          const entries = keys.map((key) => ({ key: `${key}`, revision: number, value: number }));
          const row: Row = {
            ...tidied(writer, tidy),
            revision: number,
            storeTime: number,
            put: entries,
            removed: gone.map((key) => `${key}`).filter((key) => !keys.map(String).includes(key)),
            announced: [],
          };
          for (const entry of entries) model.set(entry.key, entry);
          for (const key of row.removed) model.delete(key);
          log.set(number, Buffer.from(encodeRow(number, row)));
          for (const old of log.keys()) if (old < row.oldest) log.delete(old);
          writer.apply(number, row, 1);
        }
        const reader = new Replica();
        for (const [number, bytes] of log) reader.apply(number, decodeRow(number, bytes)!, 1);
        const state = [...model.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1));
        expect(reader.table.range({ prefix: "" })).toEqual(state);
        expect(writer.table.range({ prefix: "" })).toEqual(state);
      }),
    );
  });
});

/** Tidies as a long log would: so many of the oldest rows, but never the newest. */
function tidied(replica: Replica, rows: number): { carried: readonly Entry[]; oldest: number } {
  const first = replica.newest === 0 ? 1 : replica.oldest;
  const oldest = Math.min(first + rows, Math.max(replica.newest, 1));
  const carried: Entry[] = [];
  for (let row = first; row < oldest; row += 1) carried.push(...replica.carriedFrom(row));
  return { carried, oldest };
}
