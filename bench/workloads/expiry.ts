/** Locks that nobody gives back: how late, and whether ever early, the next one gets them. */
import { setTimeout as sleep } from "node:timers/promises";
import { openManager, type StoreName } from "../contestants/engram-lock.js";
import { spread } from "../statistics.js";
import { figure } from "../table.js";
import type { Workload } from "./workload.js";

const shortestTtlMs = 50;
const longestTtlMs = 500;

interface Delays {
  readonly lateMs: number[];
  readonly early: number;
}

const subjects: Readonly<Record<string, (count: number) => Promise<Delays>>> = {
  "memory store": (count) => expire("memory", count),
  "embedded store": (count) => expire("embedded", count),
  // What no program on this machine at this moment could do better.
  "a bare timer each": bareTimers,
};

export const expiry: Workload = {
  name: "expiry",
  async run({ quick }) {
    const count = quick ? 200 : 2_000;
    const data = [];
    for (const [name, measure] of Object.entries(subjects)) {
      await measure(Math.ceil(count / 10));
      const { lateMs, early } = await measure(count);
      data.push({ name, least: Math.min(...lateMs), ...spread(lateMs), early });
    }
    return [
      {
        title: "Expiry → next holder, in ms",
        head: ["", "least", "p50", "p99", "max", "early"],
        rows: data.map(({ name, least, p50, p99, max, early }) => [
          name,
          figure(least),
          figure(p50),
          figure(p99),
          figure(max),
          String(early),
        ]),
        notes: [
          `${count} locks, each with a ttl of ${shortestTtlMs} to ${longestTtlMs} ms and one waiter.`,
          "From the call of the acquire plus ttl, so the acquire itself is counted as lateness. Early: served before that, or granted before the expiry in store time.",
        ],
        data,
      },
    ];
  },
};

async function expire(store: StoreName, count: number): Promise<Delays> {
  const { locks, close } = await openManager(store);
  try {
    const served: Promise<{ lateMs: number; early: boolean }>[] = [];
    for (let n = 0; n < count; n++) {
      await pace(n);
      const ttl = ttlOf(n);
      const path = `/repo/src/expiring-${n}.ts`;
      const calledAt = performance.now();
      const first = await locks.acquireLock(path, `holder-${n}`, { ttl });
      const waiting = locks.acquireLock(path, `waiter-${n}`, { timeout: "10s" });
      served.push(
        waiting.then((second) => {
          const lateMs = performance.now() - calledAt - ttl;
          return { lateMs, early: lateMs < 0 || second.acquiredAt < first.expiresAt };
        }),
      );
    }
    const all = await Promise.all(served);
    return { lateMs: all.map(({ lateMs }) => lateMs), early: all.filter(({ early }) => early).length };
  } finally {
    await close();
  }
}

async function bareTimers(count: number): Promise<Delays> {
  const fired: Promise<number>[] = [];
  for (let n = 0; n < count; n++) {
    await pace(n);
    const due = performance.now() + ttlOf(n);
    // Node rounds delays down.
    fired.push(sleep(ttlOf(n) + 1).then(() => performance.now() - due));
  }
  const lateMs = await Promise.all(fired);
  return { lateMs, early: lateMs.filter((ms) => ms < 0).length };
}

/** A burst of acquires would be measured as lateness. */
async function pace(n: number): Promise<void> {
  if (n % 4 === 0) await sleep(2);
}

function ttlOf(n: number): number {
  return shortestTtlMs + ((n * 7919) % (longestTtlMs - shortestTtlMs + 1));
}
