import { describe, expect, test } from "vitest";
import type { Clock } from "../../src/clock/clock.js";
import { systemClock } from "../../src/clock/system-clock.js";
import { openMemoryStore } from "../../src/store/memory/memory-store.js";
import { apply, change, failure, keysIn, put, remove } from "./changes.js";
import { storeSuite } from "./store-suite.js";

storeSuite("The memory store", async () => {
  const store = openMemoryStore();
  return { store, cleanup: () => store.close() };
});

describe("The memory store", () => {
  test("counts store time from its opening; a stepping wall clock changes nothing", async () => {
    const clock = handClock({ wall: 1_700_000_000_000, monotonic: 5_000 });
    const store = openMemoryStore({ clock });
    expect((await store.read({})).storeTime).toBe(1_700_000_000_000);
    clock.wall += 3_600_000;
    clock.steady += 1_500;
    expect((await store.read({})).storeTime).toBe(1_700_000_001_500);
    clock.wall -= 7_200_000;
    expect((await store.commit([])).storeTime).toBe(1_700_000_001_500);
  });

  test("takes its revisions from store time in microseconds, and counts on when time stands still", async () => {
    const clock = handClock({ wall: 1_700_000_000_000, monotonic: 0 });
    const store = openMemoryStore({ clock });
    expect(await apply(store, put("a"))).toBe(1_700_000_000_000_000);
    expect(await apply(store, put("a"))).toBe(1_700_000_000_000_001);
    clock.steady += 2.5;
    expect(await apply(store, put("a"))).toBe(1_700_000_000_002_500);
  });

  test("refuses a commit whose revision would be no safe integer, and applies nothing of it", async () => {
    const clock = handClock({ wall: Math.floor(Number.MAX_SAFE_INTEGER / 1000), monotonic: 0 });
    const store = openMemoryStore({ clock });
    await apply(store, put("a"));
    clock.steady += 1;
    await expect(store.commit([put("b")])).rejects.toThrow(failure({ retryable: false }));
    expect(await keysIn(store, { prefix: "" })).toEqual(["a"]);
  });

  test("keeps ranges right through many puts and removals that no range read comes between", async () => {
    const store = openMemoryStore();
    const keyOf = (number: number) => `key ${String((number * 7919) % 20_000).padStart(6, "0")}`;
    for (let number = 0; number < 20_000; number += 1) await apply(store, put(keyOf(number)));
    expect(await keysIn(store, { prefix: "", limit: 3 })).toEqual(["key 000000", "key 000001", "key 000002"]);
    for (let number = 0; number < 19_990; number += 1) await apply(store, remove(keyOf(number)));
    const left = Array.from({ length: 10 }, (_, number) => keyOf(19_990 + number)).toSorted();
    expect(await keysIn(store, { prefix: "" })).toEqual(left);
  });

  test("does not grow with keys that come and go", { timeout: 60_000 }, async () => {
    const store = openMemoryStore();
    const before = await heapAfter(store, 20_000);
    const after = await heapAfter(store, 400_000);
    // A leak of the keys alone would be 25 MB and more; the heap itself sways by some.
    expect(after - before).toBeLessThan(16_000_000);
  });

  test("tells its listeners once for each commit, in a later turn", async () => {
    const store = openMemoryStore();
    const calls: (readonly string[])[] = [];
    await store.subscribe((paths) => calls.push(paths));
    const commit = store.commit([change({ announce: ["/a"] }), change({ announce: ["/b", "/c"] })]);
    expect(calls).toEqual([]);
    await commit;
    await new Promise((resolve) => systemClock.nextTurn(() => resolve(undefined)));
    expect(calls).toEqual([["/a", "/b", "/c"]]);
  });
});

function handClock(start: { wall: number; monotonic: number }): Clock & { wall: number; steady: number } {
  return {
    ...systemClock,
    wall: start.wall,
    steady: start.monotonic,
    now() {
      return this.wall;
    },
    monotonic() {
      return this.steady;
    },
  };
}

let key = 0;

/** The heap in use after so many distinct keys were put and removed again. */
async function heapAfter(store: ReturnType<typeof openMemoryStore>, count: number): Promise<number> {
  for (let done = 0; done < count; done += 100) {
    const keys = Array.from({ length: 100 }, () => `come and gone/${(key += 1)}`);
    await apply(store, change({ put: keys.map((name) => ({ key: name, value: 1 })) }));
    await apply(store, remove(...keys));
  }
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}
