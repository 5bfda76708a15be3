/** Requests that are later than a change's own end, and a process that is cut off until then: the worst that a store may do to a manager. */
import { expect, test } from "vitest";
import { openMemoryStore } from "../../src/store/memory/memory-store.js";
import type { Change } from "../../src/store/store.js";
import { FaultyStore } from "../support/faulty-store.js";
import { ManualClock } from "../support/manual-clock.js";

const change: Change = { expect: [], put: [{ key: "lock/a", value: 1 }], remove: [], announce: [] };

test("a late request arrives as late as it may, and what has an end of its own is not carried out", async () => {
  const clock = new ManualClock();
  const inner = openMemoryStore({ clock });
  const store = new FaultyStore(inner, { clock, random: () => 0.9 });
  store.chance({ late: 1, latestMs: 10_000 });
  const isThere = async (): Promise<boolean> =>
    (await inner.read({ keys: ["lock/a"] })).entries[0] !== undefined;

  const { storeTime } = await inner.read({});
  await expect(store.commit([{ ...change, notAfter: storeTime + 5_000 }])).rejects.toThrow("broke");
  await clock.advance(9_500);
  expect(await isThere()).toBe(false);

  await expect(store.commit([change])).rejects.toThrow("broke");
  await clock.advance(8_900);
  expect(await isThere()).toBe(false);
  await clock.advance(200);
  expect(await isThere()).toBe(true);
});

test("after a late request the store is out of reach for a while", async () => {
  const clock = new ManualClock();
  const store = new FaultyStore(openMemoryStore({ clock }), { clock, random: () => 0.5 });
  store.chance({ late: 1, cutOffMs: 2_000 });
  await expect(store.commit([change])).rejects.toThrow("broke");
  store.chance({});
  await clock.advance(900);
  await expect(store.read({})).rejects.toThrow("down");
  await clock.advance(200);
  await expect(store.read({})).resolves.toBeDefined();
});
