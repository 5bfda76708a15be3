// What is shown was so at one moment (I13), whatever others do between the reads that an answer needs; and pages of the list.

import { describe, expect, test } from "vitest";
import type { ListFilter, Lock, LockManager } from "../../src/lock-manager.js";
import { CountingStore } from "./counting-store.js";
import { refusal, type Stage, stage } from "./stage.js";

/** A manager, after each of whose reads somebody does something. */
async function meddledWith(
  on: Stage,
  meddle: () => Promise<unknown>,
): Promise<{ readonly looker: LockManager; readonly store: CountingStore }> {
  const store = new CountingStore(on.store);
  const read = store.read.bind(store);
  const looker = await on.manager({}, { store });
  store.reads = 0;
  store.read = async (query, options) => {
    const reply = await read(query, options);
    await meddle();
    return reply;
  };
  return { looker, store };
}

/** Somebody who always holds exactly one lock or, for a moment, two: never none. */
class Wanderer {
  readonly #locks: LockManager;
  #steps = 0;
  #lock: Lock | undefined;

  constructor(locks: LockManager) {
    this.#locks = locks;
  }

  async step(): Promise<void> {
    const last = this.#lock;
    this.#lock = await this.#locks.acquireLock(`/wandering/${++this.#steps}`, "ann");
    if (last !== undefined) await this.#locks.releaseLock(last.resourcePath, "ann", last.lockId);
  }
}

describe("what an agent holds and waits for", () => {
  test("is shown as it was at one moment, though it changes between two reads", async () => {
    const on = stage();
    const locks = await on.manager();
    const ann = new Wanderer(locks);
    await ann.step();
    let meddled = 0;
    const { looker } = await meddledWith(on, async () => {
      if (meddled++ === 0) await ann.step();
    });
    const { locks: shown } = await on.run(looker.getAgent("ann"));
    expect(shown.map((lock) => lock.resourcePath)).toEqual(["/wandering/2"]);
  });

  test("is shown in a bounded number of reads, even if it changes between any two", async () => {
    const on = stage();
    const ann = new Wanderer(await on.manager());
    await ann.step();
    const { looker, store } = await meddledWith(on, () => ann.step());
    expect(await on.run(looker.getAgentLocks("ann"))).toHaveLength(1);
    expect(store.reads).toBe(4);
  });

  test("is one or the other when a waiter gets its lock between two reads", async () => {
    const on = stage();
    const locks = await on.manager();
    const held = await locks.acquireLock("/plan", "bob");
    const waiting = locks.acquireLock("/plan", "ann", { timeout: "1m" });
    await on.clock.settle();
    const { looker } = await meddledWith(on, () => locks.releaseLock("/plan", "bob", held.lockId));
    const shown = await on.run(looker.getAgent("ann"));
    await waiting;
    expect([shown.locks.length, shown.waiting.length]).toEqual([1, 0]);
  });

  test("costs one read when it is nothing", async () => {
    const on = stage();
    const { looker, store } = await meddledWith(on, async () => undefined);
    expect(await on.run(looker.getAgent("ann"))).toMatchObject({ locks: [], waiting: [] });
    expect(store.reads).toBe(1);
  });
});

describe("figures", () => {
  test("are of one moment, also when a lock moves from the end of the list to its beginning", async () => {
    const on = stage();
    const locks = await on.manager();
    for (let group = 0; group < 21; group++) {
      const paths = Array.from({ length: 50 }, (_, n) => `/many/${group}/${n}`);
      await locks.acquireMultipleLocks(paths, `agent-${group}`);
    }
    const last = await locks.acquireLock("/z", "ann");
    let meddled = 0;
    const { looker } = await meddledWith(on, async () => {
      if (meddled++ > 0) return;
      await locks.acquireLock("/a", "ann");
      await locks.releaseLock("/z", "ann", last.lockId);
    });
    expect(await on.run(looker.getLockCount())).toBe(1_051);
    expect(await on.run(locks.getLockCount())).toBe(1_051);
  });

  test("agree with each other", async () => {
    const on = stage();
    const locks = await on.manager();
    await locks.acquireLock("/plan", "ann");
    void locks.acquireLock("/plan", "bob", { timeout: "1m" }).catch(() => undefined);
    await on.clock.settle();
    const since = locks.currentTime();
    const { looker } = await meddledWith(on, () => locks.acquireLock("/other", "cat"));
    const before = { locks: 1, waiters: 1, agents: 2, oldestWaiterSince: since };
    expect(await on.run(looker.getStats())).toEqual(before);
    expect(await on.run(looker.getStats())).toEqual({ ...before, locks: 2, agents: 3 });
  });

  test("count no agent whose locks have all expired", async () => {
    const on = stage();
    const gone = await on.manager({ cleanupInterval: "1h" });
    await gone.acquireLock("/plan", "ann", { ttl: "1s" });
    await on.run(gone.close());
    await on.clock.advance(2_000);
    const locks = await on.manager({ cleanupInterval: "1h" });
    expect(await locks.getStats()).toEqual({ locks: 0, waiters: 0, agents: 0 });
    expect(await locks.listLocks()).toEqual({ locks: [] });
    expect(await locks.getAgentLocks("ann")).toEqual([]);
    expect(await locks.getLock("/plan")).toBeUndefined();
    expect(await on.leftovers()).toContain("lock/plan");
  });
});

describe("a page", () => {
  /** Eleven locks on five paths: `/s` and `/s/t` have five and three shared ones. */
  async function crowd(): Promise<{ locks: LockManager; names: string[] }> {
    const locks = await stage().manager();
    const agents = ["ann", "bob", "cat", "dan", "eve"];
    for (const agent of agents) await locks.acquireLock("/s", agent, { mode: "shared" });
    for (const agent of agents.slice(0, 3)) await locks.acquireLock("/s/t", agent, { mode: "shared" });
    for (const path of ["/", "/r", "/t"]) await locks.acquireLock(path, "zoe");
    const names = [
      "/ zoe",
      "/r zoe",
      ...agents.map((agent) => `/s ${agent}`),
      ...agents.slice(0, 3).map((agent) => `/s/t ${agent}`),
      "/t zoe",
    ];
    return { locks, names };
  }

  const name = (lock: Lock): string => `${lock.resourcePath} ${lock.agentId}`;

  async function allPages(
    locks: LockManager,
    filter: ListFilter,
    between: (page: readonly Lock[]) => Promise<unknown> = async () => undefined,
  ): Promise<string[][]> {
    const pages: string[][] = [];
    for (let cursor: string | undefined; ; ) {
      const page = await locks.listLocks({ ...filter, ...(cursor !== undefined && { cursor }) });
      pages.push(page.locks.map(name));
      if (page.nextCursor === undefined) return pages;
      cursor = page.nextCursor;
      await between(page.locks);
    }
  }

  test.each([1, 2, 3, 4, 5, 7, 10, 11, 12])(
    "holds at most %i locks, and together all are there once",
    async (limit) => {
      const { locks, names } = await crowd();
      const pages = await allPages(locks, { limit });
      expect(Math.max(...pages.map((page) => page.length))).toBeLessThanOrEqual(limit);
      expect(pages.flat()).toEqual(names);
      const below = await allPages(locks, { limit, prefix: "/s" });
      expect(below.flat()).toEqual(names.filter((one) => one.startsWith("/s")));
      const one = await allPages(locks, { limit, agentId: "cat" });
      expect(one.flat()).toEqual(["/s cat", "/s/t cat"]);
    },
  );

  test("goes on behind a lock that is there no more", async () => {
    const { locks, names } = await crowd();
    const pages = await allPages(locks, { limit: 1 }, async ([shown]) => {
      if (shown !== undefined) await locks.releaseLock(shown.resourcePath, shown.agentId, shown.lockId);
    });
    expect(pages.flat()).toEqual(names);
    expect(await locks.getLockCount()).toBe(1);
  });

  test("shows those who have come meanwhile behind those who were there", async () => {
    const { locks, names } = await crowd();
    const pages = await allPages(locks, { limit: 4 }, () =>
      locks.acquireLock("/s", "fay", { mode: "shared" }),
    );
    expect(pages.flat()).toEqual(names.toSpliced(7, 0, "/s fay"));
  });

  test.each([
    ["a path", "/s"],
    ["nothing", ""],
    ["a made-up word", "bm9uc2Vuc2U"],
    ["text that is no JSON", Buffer.from("[").toString("base64url")],
    ["another shape", Buffer.from('["/s",1]').toString("base64url")],
    ["a path that is none", Buffer.from('["/s/../t",1,"id"]').toString("base64url")],
    ["a token that is none", Buffer.from('["/s","1","id"]').toString("base64url")],
    ["a number", 7],
  ])("cannot go on from %s", async (_, cursor) => {
    const { locks } = await crowd();
    const error = await refusal(locks.listLocks({ cursor: cursor as string }), "invalid");
    expect(error.facts).toMatchObject({ field: "cursor", allowed: expect.stringContaining("page before") });
  });

  test("cannot go on from a place outside of its prefix", async () => {
    const { locks } = await crowd();
    const { nextCursor } = await locks.listLocks({ limit: 1 });
    const error = await refusal(locks.listLocks({ prefix: "/s", cursor: nextCursor! }), "invalid");
    expect(error.message).toContain("same prefix");
  });
});
