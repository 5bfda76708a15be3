/** What a held lock costs in memory. Each contestant is measured in a process of its own, where nothing else grows meanwhile. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { openManager } from "../contestants/engram-lock.js";
import { asyncLock, asyncMutex } from "../contestants/in-process-peers.js";
import { settledHeap } from "../settled-heap.js";
import { figure } from "../table.js";
import type { Workload } from "./workload.js";

/** What keeps `count` locks held; resolves to whatever the holders would keep. */
type HoldMany = (count: number) => Promise<unknown>;

const locksPerAgent = 100;
const aWaiter = "memory store, a waiter among 10,000 on one path";
/** The most that a queue takes. */
const mostWaiters = 10_000;

const subjects: Readonly<Record<string, HoldMany>> = {
  "memory store, in the store and the manager": async (count) => {
    const { locks } = await openManager("memory");
    await inBatches(count, async (n) => {
      await locks.acquireLock(pathOf(n), agentOf(n), { ttl: "1h" });
    });
    return locks;
  },
  "memory store, with what the acquires returned": async (count) => {
    const { locks } = await openManager("memory");
    const held: unknown[] = [];
    await inBatches(count, async (n) => {
      held.push(await locks.acquireLock(pathOf(n), agentOf(n), { ttl: "1h" }));
    });
    return [locks, held];
  },
  "embedded store, in the store and the manager": async (count) => {
    const { locks } = await openManager("embedded");
    await inBatches(count, async (n) => {
      await locks.acquireLock(pathOf(n), agentOf(n), { ttl: "1h" });
    });
    return locks;
  },
  [aWaiter]: async (count) => {
    const { locks } = await openManager("memory");
    await locks.acquireLock("/one", "holder", { ttl: "1h" });
    const waiting = Array.from({ length: count }, (_, n) =>
      locks.acquireLock("/one", `agent-${n}`, { timeout: Infinity }),
    );
    while ((await locks.getResource("/one")).queueLength < count) await nextTurn();
    return [locks, waiting];
  },
  [asyncMutex.name]: (count) => holdFor(asyncMutex, count),
  [asyncLock.name]: (count) => holdFor(asyncLock, count),
};

export const heap: Workload = {
  name: "heap",
  async run({ quick }) {
    const count = quick ? 10_000 : 100_000;
    const data: { name: string; bytesPerLock: number }[] = [];
    for (const name of Object.keys(subjects)) {
      data.push({ name, bytesPerLock: await inChild(name, name === aWaiter ? mostWaiters : count) });
    }
    return [
      {
        title: `Heap in bytes for each of ${count.toLocaleString("en-US")} held locks`,
        head: ["", "bytes per lock"],
        rows: data.map(({ name, bytesPerLock }) => [name, figure(bytesPerLock)]),
        notes: [
          `${locksPerAgent} locks for each agent, and each waiter an agent of its own; the paths are in it. After two full collections.`,
        ],
        data,
      },
    ];
  },
};

/** The other side of `inChild`: measures in this process, tells the parent and ends. */
export async function measureHeap(subject: string, count: number): Promise<void> {
  const hold = subjects[subject];
  if (hold === undefined) throw new Error(`Cannot measure the heap of "${subject}"`);
  // What is compiled and cached at the first use belongs to no lock.
  await hold(1_000);
  const before = await settledHeap();
  const kept = await hold(count);
  const after = await settledHeap();
  if (kept === undefined) throw new Error("Nothing was kept");
  process.send?.((after - before) / count, () => process.exit());
}

async function inChild(subject: string, count: number): Promise<number> {
  const main = fileURLToPath(new URL("../main.js", import.meta.url));
  const child = fork(main, ["--heap-of", subject, "--count", String(count)], { execArgv: ["--expose-gc"] });
  const [answer] = await Promise.race([once(child, "message"), once(child, "exit").then(failed)]);
  return Number(answer);
}

function failed(): never {
  throw new Error("The process that measures the heap ended early");
}

async function inBatches(count: number, step: (n: number) => Promise<void>): Promise<void> {
  for (let first = 0; first < count; first += 1_000) {
    const size = Math.min(1_000, count - first);
    await Promise.all(Array.from({ length: size }, (_, n) => step(first + n)));
  }
}

async function holdFor(kind: typeof asyncMutex, count: number): Promise<unknown> {
  const contestant = await kind.open();
  const forEver = new Promise<void>(() => {});
  const pending: unknown[] = [];
  await inBatches(count, async (n) => {
    await new Promise<void>((resolve) => {
      const hold = contestant?.hold(pathOf(n), 0, () => {
        resolve();
        return forEver;
      });
      pending.push(hold);
    });
  });
  return [contestant, pending];
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function pathOf(n: number): string {
  return `/repo/src/file-${n}.ts`;
}

function agentOf(n: number): string {
  return `agent-${Math.floor(n / locksPerAgent)}`;
}
