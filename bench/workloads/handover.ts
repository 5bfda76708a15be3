/** From the moment a holder lets go to the moment the next one has the lock. */
import { type OpenManager, openManager, type StoreName } from "../contestants/engram-lock.js";
import { asyncLock, asyncMutex } from "../contestants/in-process-peers.js";
import { type Spread, spread } from "../statistics.js";
import { figure } from "../table.js";
import { type Workload, withContestants } from "./workload.js";

const path = "/repo/src/handed-over.ts";

export const handover: Workload = {
  name: "handover",
  async run(settings) {
    const turns = settings.quick ? 100 : 2_000;
    const results = new Map<string, Spread>();
    for (const store of ["memory", "embedded"] as const) {
      results.set(`${store} store`, spread(await overManager(store, turns)));
    }
    await withContestants(settings, [asyncMutex, asyncLock], async (contestants) => {
      for (const contestant of contestants) {
        const delays: number[] = [];
        for (let turn = 0; turn < turns; turn++) {
          const held = latch();
          const first = contestant.hold(path, 0, () => held.opened);
          let takenAt = 0;
          const second = contestant.hold(path, 1, () => {
            takenAt = performance.now();
          });
          await nextTurn();
          const releasedAt = performance.now();
          held.open();
          await Promise.all([first, second]);
          delays.push(takenAt - releasedAt);
        }
        results.set(contestant.name, spread(delays));
      }
    });
    return [
      {
        title: "Release → next holder, one waiter in the same process, in ms",
        head: ["", "p50", "p99", "max"],
        rows: [...results].map(([name, { p50, p99, max }]) => [name, figure(p50), figure(p99), figure(max)]),
        notes: [`${turns} handovers each.`],
        data: Object.fromEntries(results),
      },
    ];
  },
};

async function overManager(store: StoreName, turns: number): Promise<number[]> {
  const manager = await openManager(store);
  try {
    for (let turn = 0; turn < turns / 4; turn++) await handOver(manager, turn);
    const delays: number[] = [];
    for (let turn = 0; turn < turns; turn++) delays.push(await handOver(manager, turn));
    return delays;
  } finally {
    await manager.close();
  }
}

/** Milliseconds from the call of `release` until the waiting acquire resolved. */
async function handOver({ locks }: OpenManager, turn: number): Promise<number> {
  const first = await locks.acquireLock(path, `holder-${turn % 2}`);
  const second = locks.acquireLock(path, `waiter-${turn % 2}`);
  while ((await locks.getResource(path)).queueLength === 0) await nextTurn();
  const releasedAt = performance.now();
  const released = first.release();
  const lock = await second;
  const delay = performance.now() - releasedAt;
  await released;
  await lock.release();
  return delay;
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function latch(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
