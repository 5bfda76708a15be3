import { expect } from "vitest";
import type { Store } from "../../../src/store/store.js";
import { apply, change, entryAt, keysIn, put, remove, valueAt } from "../changes.js";
import type { Case, Opened } from "../store-suite.js";
import { listen } from "./hints.js";

export function sharingCases(each: Case): void {
  const it = (name: string, body: (handles: Store[], opened: Opened) => Promise<void>) =>
    each(name, async (store, opened, skip) => {
      const { again } = opened;
      if (again === undefined) return skip("This store belongs to whoever opened it.");
      const handles = [store, await again(), await again()];
      try {
        await body(handles, opened);
      } finally {
        await Promise.all(handles.map((handle) => handle.close()));
      }
    });

  it("what one handle committed is seen by the others", async ([a, b, c]) => {
    const revision = await apply(a!, put("x", 1));
    for (const handle of [b!, c!]) {
      expect(await entryAt(handle, "x")).toEqual({ key: "x", revision, value: 1 });
      expect((await handle.read({})).revision).toBe(revision);
    }
    await apply(b!, remove("x"), put("y", 2));
    expect(await keysIn(a!, { prefix: "" })).toEqual(["y"]);
    expect(await keysIn(c!, { prefix: "" })).toEqual(["y"]);
  });

  it("expectations are judged by what all handles wrote", async ([a, b]) => {
    const first = await apply(a!, put("x", 1));
    const second = await apply(b!, put("x", 2));
    const { outcomes } = await a!.commit([change({ expect: [{ key: "x", revision: first }] })]);
    expect(outcomes).toEqual([
      { applied: false, late: false, found: [{ key: "x", revision: second, value: 2 }] },
    ]);
  });

  it("handles that count up one key lose no update, and revisions rise with the count", async (handles) => {
    const rounds = 30;
    const revisions = new Map<number, number>();
    const countUp = async (store: Store): Promise<void> => {
      for (let done = 0; done < rounds; ) {
        const entry = await entryAt(store, "count");
        const next = Number(entry?.value ?? 0) + 1;
        const counted = change({
          expect: [{ key: "count", revision: entry?.revision ?? 0 }],
          put: [{ key: "count", value: next }],
        });
        const [outcome] = (await store.commit([counted])).outcomes;
        if (outcome?.applied !== true) continue;
        revisions.set(next, outcome.revision);
        done += 1;
      }
    };
    await Promise.all(handles.map(countUp));
    const total = handles.length * rounds;
    expect(await valueAt(handles[0]!, "count")).toBe(total);
    const inOrderOfCount = Array.from({ length: total }, (_, n) => revisions.get(n + 1)!);
    expect(inOrderOfCount).toEqual(inOrderOfCount.toSorted((a, b) => a - b));
    expect(new Set(inOrderOfCount).size).toBe(total);
  });

  it("a listener of one handle hears what another announces", async ([a, b]) => {
    const ear = await listen(a!);
    await apply(b!, change({ put: [{ key: "x", value: 1 }], announce: ["/from/b"] }));
    await ear.hears("/from/b");
    await ear.close();
  });

  it("store time is one for all handles: it does not go back from one to another", async (handles) => {
    let last = 0;
    for (let round = 0; round < 30; round += 1) {
      const handle = handles[round % handles.length]!;
      const { storeTime } = round % 2 === 0 ? await handle.read({}) : await handle.commit([put("x", round)]);
      expect(storeTime).toBeGreaterThanOrEqual(last);
      last = storeTime;
    }
  });

  it("closing one handle leaves the others open", async ([a, b]) => {
    await apply(a!, put("x", 1));
    await a!.close();
    await apply(b!, put("y", 2));
    expect(await keysIn(b!, { prefix: "" })).toEqual(["x", "y"]);
  });
}
