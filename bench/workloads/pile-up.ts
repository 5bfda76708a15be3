/** Ten thousand at once: waiters on one path, locks that end in the same millisecond. How long the event loop is held up meanwhile. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { openManager, type StoreName } from "../contestants/engram-lock.js";
import { figure } from "../table.js";
import type { Workload } from "./workload.js";

const agents = 1_000;

/** Milliseconds. */
interface Strain {
  readonly took: number;
  /** Of the event loop, beyond the resolution of its monitor. */
  readonly p999: number;
  readonly longest: number;
}

const subjects: Readonly<Record<string, (store: StoreName, count: number) => Promise<Strain>>> = {
  "waiters served one by one": serve,
  "locks expire": expire,
};

export const pileUp: Workload = {
  name: "pile-up",
  async run({ quick }) {
    const count = quick ? 1_000 : 10_000;
    const data = [];
    for (const [name, strain] of Object.entries(subjects)) {
      for (const store of ["memory", "embedded"] as const) {
        data.push({ name: `${name}, ${store} store`, ...(await strain(store, count)) });
      }
    }
    return [
      {
        title: `${count.toLocaleString("en-US")} at once, in ms`,
        head: ["", "all done after", "event loop held up, p99.9", "longest"],
        rows: data.map(({ name, took, p999, longest }) => [
          name,
          figure(took),
          figure(p999),
          figure(longest),
        ]),
        notes: [
          "Waiters: from the first release. Expiry: from the last expiry until nothing is left in the store.",
        ],
        data,
      },
    ];
  },
};

async function serve(store: StoreName, count: number): Promise<Strain> {
  const { locks, close } = await openManager(store);
  const held = await locks.acquireLock("/one", "holder", { ttl: "1h" });
  const served = Array.from({ length: count }, async (_, n) => {
    const lock = await locks.acquireLock("/one", `agent-${n}`, { timeout: Infinity });
    await lock.release();
  });
  while ((await locks.getResource("/one")).queueLength < count) await nextTurn();
  const strain = await underStrain(async () => {
    const began = performance.now();
    await held.release();
    await Promise.all(served);
    return performance.now() - began;
  });
  await close();
  return strain;
}

async function expire(name: StoreName, count: number): Promise<Strain> {
  const { locks, store, close } = await openManager(name);
  const taken = await Promise.all(
    Array.from({ length: count }, (_, n) =>
      locks.acquireLock(`/many/${n}`, `agent-${n % agents}`, { ttl: "1h" }),
    ),
  );
  const ends = performance.now() + 3_000;
  await Promise.all(taken.map((lock) => lock.extend(Math.max(ends - performance.now(), 10))));
  const last = Math.max(...taken.map((lock) => lock.expiresAt.getTime()));
  const strain = await underStrain(async () => {
    for (;;) {
      const { ranges } = await store.read({ ranges: [{ prefix: "lock/", limit: 1 }] });
      if (ranges[0]?.length === 0) return locks.currentTime().getTime() - last;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  });
  await close();
  return strain;
}

async function underStrain(work: () => Promise<number>): Promise<Strain> {
  const resolution = 1;
  const delay = monitorEventLoopDelay({ resolution });
  // What the managers wait for keeps no process alive.
  const alive = setInterval(() => {}, 60_000);
  delay.enable();
  const took = await work();
  delay.disable();
  clearInterval(alive);
  return {
    took,
    p999: Math.max(0, delay.percentile(99.9) / 1e6 - resolution),
    longest: Math.max(0, delay.max / 1e6 - resolution),
  };
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
