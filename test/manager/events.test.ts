/** Events: what happens is told once, in order, to everybody who reads; and the metrics are what the events add up to (invariant I14). */
import { getEventListeners } from "node:events";
import { Registry } from "@prometheus-io/client";
import { describe, expect, test } from "vitest";
import type { LockEvent, LockManager } from "../../src/lock-manager.js";
import { readExposition } from "../metrics/read-exposition.js";
import { seededRandom } from "../support/seeded-random.js";
import { gather, refusal, type Stage, stage, watch } from "./stage.js";

async function told(play: Stage, act: (locks: LockManager) => Promise<unknown>): Promise<LockEvent[]> {
  const locks = await play.manager();
  const heard = gather(locks);
  await act(locks);
  await play.clock.settle();
  await heard.end();
  return heard.events;
}

function types(events: readonly LockEvent[]): string[] {
  return events.map((event) => event.type);
}

describe("Events", () => {
  test("tell a lock's whole life, each step once and with what belongs to it", async () => {
    const play = stage();
    const events = await told(play, async (locks) => {
      const lock = await locks.acquireLock("/repo/a", "ann", { ttl: "10s", reason: "why" });
      await play.clock.advance(1_000);
      await lock.extend("20s");
      await play.clock.advance(500);
      await lock.release();
    });
    expect(types(events)).toEqual(["acquired", "extended", "released"]);
    const [acquired, extended, released] = events;
    const about = { resourcePath: "/repo/a", resourceType: "repo", agentId: "ann", mode: "exclusive" };
    for (const event of events) {
      expect(event).toMatchObject({ ...about, scope: "resource", reason: "why", lockId: acquired?.lockId });
      expect(event.fencingToken).toBe(acquired?.fencingToken);
      expect(event.at).toBeInstanceOf(Date);
    }
    expect(acquired).toMatchObject({ waitedMs: 0 });
    expect((acquired?.expiresAt?.getTime() ?? 0) - (acquired?.at.getTime() ?? 0)).toBe(10_000);
    expect((extended?.expiresAt?.getTime() ?? 0) - (extended?.at.getTime() ?? 0)).toBe(20_000);
    expect(released?.heldMs).toBeGreaterThanOrEqual(1_500);
    expect(released?.heldMs).toBeLessThan(1_501);
  });

  test("tell how long a waiter waited that was queued and served in one change", async () => {
    const play = stage();
    const events = await told(play, async (locks) => {
      const first = await locks.acquireLock("/a", "ann", { ttl: "1m" });
      const next = locks.acquireLock("/a", "bob", { ttl: "1m" });
      await Promise.all([first.release(), next]);
    });
    expect(types(events)).toEqual(["acquired", "queued", "contended", "released", "acquired"]);
    expect(events[4]).toMatchObject({ agentId: "bob", waitedMs: 0 });
  });

  test("tell a wait, a hand-over, an expiry, a forced release and a refusal", async () => {
    const play = stage();
    const events = await told(play, async (locks) => {
      const first = await locks.acquireLock("/a", "ann", { ttl: "1m" });
      const next = locks.acquireLock("/a", "bob", { ttl: "1s" });
      await play.clock.advance(200);
      await first.release();
      (await next).signal.addEventListener("abort", () => undefined);
      await play.clock.advance(1_100);
      await locks.acquireLock("/a", "cat");
      await refusal(locks.acquireLock("/a", "dan", { timeout: 0 }), "held");
      await locks.forceRelease("/a", { reason: "stuck", by: "root" });
      await refusal(locks.extendLock("/a", "cat", "nothing"), "lost");
    });
    expect(events.map(({ type, agentId, cause }) => [type, agentId, cause])).toEqual([
      ["acquired", "ann", undefined],
      ["queued", "bob", undefined],
      ["contended", "bob", undefined],
      ["released", "ann", undefined],
      ["acquired", "bob", undefined],
      ["lost", "bob", "expired"],
      ["expired", "bob", "timer"],
      ["acquired", "cat", undefined],
      ["contended", "dan", undefined],
      ["refused", "dan", "held"],
      ["revoked", "cat", "stuck"],
      ["failed", "cat", "lost"],
    ]);
    expect(events[4]).toMatchObject({ waitedMs: 200 });
    expect(events[6]).toMatchObject({ heldMs: 1_000 });
    expect(events[10]).toMatchObject({ by: "root", type: "revoked" });
    expect(events[11]).toMatchObject({ call: "extend" });
  });

  test("of several locks granted together all say how long that took", async () => {
    const play = stage();
    const events = await told(play, async (locks) => {
      const held = await locks.acquireLock("/b", "ann");
      const call = watch(locks.acquireMultipleLocks(["/a", "/b", "/c"], "bob"));
      await play.clock.advance(300);
      await held.release();
      await play.clock.settle();
      expect(call.state).toBe("resolved");
    });
    const granted = events.filter((event) => event.type === "acquired" && event.agentId === "bob");
    expect(granted.map((event) => [event.resourcePath, event.waitedMs])).toEqual([
      ["/a", 300],
      ["/b", 300],
      ["/c", 300],
    ]);
  });

  test("rise in their ids, and reach all readers alike", async () => {
    const play = stage();
    const locks = await play.manager();
    const readers = [gather(locks), gather(locks), gather(locks)];
    for (let n = 0; n < 300; n++) await (await locks.acquireLock(`/a/${n % 7}`, "ann")).release();
    for (const reader of readers) await reader.end();
    const [one, two, three] = readers.map((reader) => reader.events);
    expect(one).toHaveLength(600);
    expect(two).toEqual(one);
    expect(three).toEqual(one);
    const ids = one?.map((event) => event.id) ?? [];
    expect(ids).toEqual(ids.toSorted((a, b) => a - b));
    expect(new Set(ids).size).toBe(600);
  });

  test("are told by the manager whose commit made them happen, and by no other", async () => {
    const play = stage();
    const [one, two] = [await play.manager(), await play.manager()];
    const heard = [gather(one), gather(two)];
    const lock = await play.run(one.acquireLock("/a", "ann"));
    await play.run(two.releaseLock("/a", "ann", lock.lockId));
    for (const reader of heard) await reader.end();
    expect(heard.map((reader) => types(reader.events))).toEqual([["acquired"], ["released"]]);
  });

  test("may be filtered by path and by type", async () => {
    const play = stage();
    const locks = await play.manager();
    const below: LockEvent[] = [];
    const taken: LockEvent[] = [];
    const read = async (into: LockEvent[], events: AsyncIterable<LockEvent>): Promise<void> => {
      for await (const event of events) into.push(event);
    };
    const reading = [
      read(below, locks.events({ prefix: "/a/b/" })),
      read(taken, locks.events({ types: ["acquired"] })),
    ];
    for (const path of ["/a", "/a/b", "/a/b/c", "/a/bc", "/z"])
      await (await locks.acquireLock(path, "ann")).release();
    await locks.close();
    await Promise.all(reading);
    expect(below.map((event) => event.resourcePath)).toEqual(["/a/b", "/a/b", "/a/b/c", "/a/b/c"]);
    expect(taken.map((event) => event.resourcePath)).toEqual(["/a", "/a/b", "/a/b/c", "/a/bc", "/z"]);
  });

  test("begin again with `reset` for a reader that is too slow, and the others miss nothing", async () => {
    const play = stage();
    const locks = await play.manager();
    const slow = locks.events();
    const quick = gather(locks);
    for (let n = 0; n < 1_500; n++) await (await locks.acquireLock("/a", "ann")).release();
    await quick.end();
    expect(quick.events).toHaveLength(3_000);
    expect(types(quick.events)).not.toContain("reset");
    const read: LockEvent[] = [];
    const last = quick.events.at(-1)?.id;
    for await (const event of slow) {
      read.push(event);
      if (event.id === last) break;
    }
    expect(read.length).toBeLessThanOrEqual(1_001);
    expect(types(read).indexOf("reset")).toBe(0);
    expect(types(read).lastIndexOf("reset")).toBe(0);
    const ids = read.map((event) => event.id);
    expect(ids).toEqual(ids.toSorted((a, b) => a - b));
    expect(new Set(ids).size).toBe(ids.length);
    // After the gap nothing is missing.
    expect(read.slice(1)).toEqual(quick.events.slice(-read.length + 1));
  });

  test("answer reads that were made before anything happened, in order", async () => {
    const play = stage();
    const locks = await play.manager();
    const events = locks.events();
    const reads = [events.next(), events.next(), events.next()];
    await (await locks.acquireLock("/a", "ann")).release();
    expect(((await reads[0])?.value as LockEvent).type).toBe("acquired");
    expect(((await reads[1])?.value as LockEvent).type).toBe("released");
    await events.return?.();
    expect(await reads[2]).toEqual({ done: true, value: undefined });
    expect(await events.next()).toEqual({ done: true, value: undefined });
  });

  test("end with `return`, with a signal, and with the manager, and leave no listener", async () => {
    const play = stage();
    const locks = await play.manager();
    const controller = new AbortController();
    const bySignal = locks.events({ signal: controller.signal });
    const byReturn = locks.events();
    const byClose = locks.events();
    await locks.acquireLock("/a", "ann");
    const waiting = [bySignal, byReturn, byClose].map(async (events) => {
      await events.next();
      return events.next();
    });
    controller.abort();
    await byReturn.return?.();
    await play.clock.settle();
    expect(await waiting[0]).toEqual({ done: true, value: undefined });
    expect(await waiting[1]).toEqual({ done: true, value: undefined });
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
    await play.run(locks.close());
    expect(await waiting[2]).toEqual({ done: true, value: undefined });
    expect(() => locks.events()).toThrow(expect.objectContaining({ code: "closed" }));
  });
});

/** Sums of events as the documentation of the metrics words them. */
function recount(events: readonly LockEvent[]): Map<string, number> {
  const sums = new Map<string, number>();
  const add = (series: string, by = 1): unknown => sums.set(series, (sums.get(series) ?? 0) + by);
  for (const { type, resourceType, cause, call, waitedMs, heldMs = 0 } of events) {
    const of = `{resource_type="${resourceType}"}`;
    const success = (yes: boolean): string => `{resource_type="${resourceType}",success="${yes}"}`;
    if (type === "acquired") {
      add(`engram_lock_acquisitions_total${success(true)}`);
      // Not known of a waiter that is queued and promoted by one change.
      if (waitedMs === undefined) continue;
      add(`engram_lock_acquisition_duration_seconds_count${of}`);
      add(`engram_lock_acquisition_duration_seconds_sum${of}`, waitedMs / 1_000);
    } else if (type === "refused") {
      add(`engram_lock_acquisitions_total${success(false)}`);
      add(`engram_lock_failures_total{reason="${cause}"}`);
    } else if (type === "contended") add(`engram_lock_contention_total${of}`);
    else if (type === "failed") {
      add(`engram_lock_failures_total{reason="${cause}"}`);
      if (call === "release") add(`engram_lock_releases_total${success(false)}`);
    } else if (type === "released") add(`engram_lock_releases_total${success(true)}`);
    else if (type === "expired") {
      add("engram_locks_expired_total");
      if (cause !== "takeover") add("engram_locks_cleaned_up_total");
    }
    if (type === "released" || type === "expired" || type === "revoked") {
      add(`engram_lock_hold_duration_seconds_count${of}`);
      add(`engram_lock_hold_duration_seconds_sum${of}`, heldMs / 1_000);
    }
  }
  return sums;
}

/** Random calls by six agents on a handful of paths through two managers. */
async function randomRun(play: Stage, managers: readonly LockManager[], seed: number): Promise<void> {
  const random = seededRandom(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
  const taken: Awaited<ReturnType<LockManager["acquireLock"]>>[] = [];
  for (let step = 0; step < 400; step++) {
    const locks = pick(managers);
    const agent = pick(["ann", "bob", "cat", "dan", "eve", "fay"]);
    const paths = [pick(["/repo/a", "/repo/b", "/repo", "/builds/x", "/other"])];
    if (random() < 0.2) paths.push("/other/z");
    const dice = random();
    if (dice < 0.5) {
      const call = locks.acquireMultipleLocks(paths, agent, {
        ttl: pick([300, 2_000, 60_000]),
        timeout: pick([0, 100, 3_000]),
        mode: pick(["exclusive", "shared"]),
        scope: random() < 0.2 ? "tree" : "resource",
      });
      call.then(
        (mine) => taken.push(...mine),
        () => undefined,
      );
    } else if (dice < 0.75) {
      for (const lock of taken.splice(Math.floor(random() * taken.length), 1)) watch(lock.release());
    } else if (dice < 0.85) {
      for (const lock of taken.slice(0, 1)) watch(lock.extend(5_000));
    } else if (dice < 0.9) watch(locks.releaseLock(paths[0]!, agent, pick(taken)?.lockId ?? "nothing"));
    else if (dice < 0.93) watch(locks.forceRelease(paths[0]!, { reason: "stuck" }));
    else await play.clock.advance(pick([1, 50, 700]));
    if (random() < 0.5) await play.clock.settle();
  }
  await play.clock.advance(5_000);
}

describe("Metrics", () => {
  test.each([1, 2, 3, 4])("equal a recount of the events over a random run (seed %s)", async (seed) => {
    const play = stage();
    const registry = new Registry();
    const config = { registry, cleanupInterval: "1s", maxLocksPerAgent: 3 };
    const managers = [await play.manager(config), await play.manager(config)];
    const heard = managers.map(gather);
    await randomRun(play, managers, seed);
    const { locks } = await managers[0]!.listLocks();
    const series = readExposition(await managers[0]!.metrics());
    for (const reader of heard) await reader.end();
    const events = heard.flatMap((reader) => reader.events);

    const sums = recount(events);
    expect(sums.size).toBeGreaterThan(10);
    for (const [name, value] of sums)
      expect([name, series.get(name)]).toEqual([name, expect.closeTo(value, 6)]);
    for (const [name, value] of series) {
      if (
        /_(total|count|sum)(\{|$)/.test(name) &&
        !sums.has(name) &&
        !/extensions|revocations|lost/.test(name)
      ) {
        expect([name, value]).toEqual([name, 0]);
      }
    }

    const count = (...kinds: string[]): number => events.filter((event) => kinds.includes(event.type)).length;
    const active = count("acquired") - count("released", "expired", "revoked");
    expect(active).toBe(locks.length);
    expect(series.get("engram_active_locks")).toBe(locks.length);
    expect(await managers[1]!.getLockCount()).toBe(locks.length);
  });

  test("go to the registry that was handed in, beside what else is there", async () => {
    const registry = new Registry();
    const play = stage();
    const locks = await play.manager({ registry });
    await locks.acquireLock("/a", "ann");
    expect(await registry.metrics()).toBe(await locks.metrics());
    expect(readExposition(await registry.metrics()).get("engram_active_locks")).toBe(1);
  });

  test("stay few, whatever agents and paths are called", async () => {
    const play = stage();
    const locks = await play.manager();
    for (let n = 0; n < 2_000; n++) await (await locks.acquireLock(`/type-${n}/x`, `agent-${n}`)).release();
    expect(readExposition(await locks.metrics()).size).toBeLessThan(1_500);
  });
});
