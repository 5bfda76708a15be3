import { join } from "node:path";
import { open as openLmdb } from "lmdb";
import { describe, expect, test } from "vitest";
import type { Clock } from "../../src/clock/clock.js";
import { systemClock } from "../../src/clock/system-clock.js";
import { openEmbeddedStore } from "../../src/store/embedded/embedded-store.js";
import { MachineClock } from "../../src/store/embedded/machine-clock.js";
import { apply, put } from "../conformance/changes.js";
import { scratch } from "./processes.js";

const hour = 3_600_000;

describe("The store time of an embedded store", () => {
  test("begins at the wall clock and goes on when that steps, back or forth, also over a reopening", async () => {
    const directory = await scratch();
    const clock = steppingClock();
    let store = await openEmbeddedStore(directory, { clock });
    let last = (await store.read({})).storeTime;
    expect(Math.abs(last - Date.now())).toBeLessThan(10_000);
    for (const step of [hour, -2 * hour, 5 * hour]) {
      clock.step += step;
      for (const reopen of [false, true]) {
        if (reopen) {
          await store.close();
          store = await openEmbeddedStore(directory, { clock });
        }
        const { storeTime } = await store.commit([put("a")]);
        expect(storeTime - last).toBeGreaterThanOrEqual(0);
        expect(storeTime - last).toBeLessThan(10_000);
        last = storeTime;
      }
    }
    await store.close();
  });

  test("goes on at the wall clock after a reboot, or where it stood when the wall clock is behind", async () => {
    const directory = await scratch();
    const clock = steppingClock();
    const first = await openEmbeddedStore(directory, { clock });
    const { storeTime: before } = await first.commit([put("a")]);
    await first.close();

    await pretendReboot(directory);
    clock.step = -hour;
    const second = await openEmbeddedStore(directory, { clock });
    const { storeTime: behind } = await second.commit([put("a")]);
    expect(behind).toBeGreaterThanOrEqual(before);
    expect(behind - before).toBeLessThan(10_000);
    // It does not wait there for the wall clock: no lock would expire meanwhile.
    expect((await second.read({})).storeTime).toBeGreaterThan(behind);
    await second.close();

    await pretendReboot(directory);
    clock.step = hour;
    const third = await openEmbeddedStore(directory, { clock });
    const { storeTime: ahead } = await third.commit([put("a")]);
    expect(ahead - behind).toBeGreaterThan(hour - 10_000);
    await third.close();
  });

  test("keeps revisions rising when it stands still", async () => {
    const directory = await scratch();
    const clock: Clock = { ...systemClock, monotonic: () => 0 };
    const store = await openEmbeddedStore(directory, { clock });
    const first = await apply(store, put("a"));
    expect(await apply(store, put("a"))).toBe(first + 1);
    await store.close();
  });
});

describe("The clock of the machine", () => {
  test.each([1, 2, 3])("is told right when the process loses the processor at look %i", (stolen) => {
    let time = 1_000_000;
    let looks = 0;
    const look = (): number => {
      const seen = time;
      time += ++looks === stolen ? 200 : 0.001;
      return seen;
    };
    const clock = new MachineClock({ ...systemClock, monotonic: () => look() - 990_000 }, "this boot", look);
    const told = clock.now();
    expect(Math.abs(told - time)).toBeLessThan(0.1);
  });

  test("keeps an anchor of the same boot only", () => {
    const clock = new MachineClock(systemClock, "this boot");
    expect(clock.keeps({ boot: "this boot", offset: 0 }, 1e15)).toBe(true);
    expect(clock.keeps({ boot: "another boot", offset: 0 }, 0)).toBe(false);
  });

  test("where boots are not told, keeps an anchor unless store time would go back", () => {
    const clock = new MachineClock(systemClock, "");
    const anchor = clock.anchorAfter(0);
    expect(clock.keeps(anchor, Date.now() - 1_000)).toBe(true);
    expect(clock.keeps(anchor, Date.now() + hour)).toBe(false);
    expect(clock.keeps({ ...anchor, boot: "told before" }, 0)).toBe(false);
  });
});

function steppingClock(): Clock & { step: number } {
  return {
    ...systemClock,
    step: 0,
    now() {
      return systemClock.now() + this.step;
    },
  };
}

async function pretendReboot(directory: string): Promise<void> {
  const database = openLmdb<Buffer, string>({
    path: join(directory, "locks.mdb"),
    noSubdir: true,
    encoding: "binary",
    overlappingSync: false,
  });
  const anchor = JSON.parse(database.get("clock")!.toString());
  await database.put("clock", Buffer.from(JSON.stringify({ ...anchor, boot: "an earlier boot" })));
  await database.close();
}
