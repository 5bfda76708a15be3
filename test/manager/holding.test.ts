/** Holding a lock: handles, work under it, automatic extension, and how a holder learns that the lock is lost. */
import { describe, expect, test } from "vitest";
import { LockError } from "../../src/errors.js";
import type { AcquiredLock, LockManager } from "../../src/lock-manager.js";
import { FaultyStore } from "../support/faulty-store.js";
import { gather, refusal, type Stage, stage, watch } from "./stage.js";

/** A manager behind a store that can fail. */
async function behindFaults(play: Stage): Promise<{ store: FaultyStore; locks: LockManager }> {
  const store = new FaultyStore(play.store, { clock: play.clock });
  return { store, locks: await play.manager({}, { store }) };
}

describe("Handles of one lock", () => {
  test("are counted: the last one to be released releases it", async () => {
    const play = stage();
    const locks = await play.manager();
    const first = await locks.acquireLock("/a", "ann");
    const second = await locks.acquireLock("/a", "ann");
    expect(second.lockId).toBe(first.lockId);
    expect(second.fencingToken).toBe(first.fencingToken);
    expect(await first.release()).toBe(true);
    expect(first.signal.aborted).toBe(false);
    expect(await locks.getLockCount()).toBe(1);
    expect(await second.release()).toBe(true);
    expect(await play.leftovers()).toEqual([]);
  });

  test("count once however often one is released", async () => {
    const locks = await stage().manager();
    const first = await locks.acquireLock("/a", "ann");
    await locks.acquireLock("/a", "ann");
    expect(await first.release()).toBe(true);
    expect(await first.release()).toBe(false);
    await first[Symbol.asyncDispose]();
    expect(await locks.getLockCount()).toBe(1);
  });

  test("all follow an extension through any of them", async () => {
    const locks = await stage().manager();
    const first = await locks.acquireLock("/a", "ann", { ttl: "10s" });
    const second = await locks.acquireLock("/a", "ann", { ttl: "20s" });
    expect(first.expiresAt).toEqual(second.expiresAt);
    expect(first.ttlMs).toBe(20_000);
    await first.extend("1m");
    expect(second.ttlMs).toBe(60_000);
    expect(JSON.parse(JSON.stringify(second))).toMatchObject({ lockId: first.lockId, ttlMs: 60_000 });
  });

  test("all end with a release by id, and later releases answer false", async () => {
    const locks = await stage().manager();
    const first = await locks.acquireLock("/a", "ann");
    const second = await locks.acquireLock("/a", "ann");
    const { signal } = first;
    expect(await locks.releaseLock("/a", "ann", first.lockId)).toBe(true);
    expect(signal.aborted).toBe(true);
    expect(signal.reason).toMatchObject({ code: "lost" });
    expect([await first.release(), await second.release()]).toEqual([false, false]);
    await refusal(second.extend(), "lost");
  });

  test("of a lock taken through two managers end each with its own release", async () => {
    const play = stage();
    const [one, two] = [await play.manager(), await play.manager()];
    const first = await one.acquireLock("/a", "ann");
    const second = await two.acquireLock("/a", "ann");
    expect(second.lockId).toBe(first.lockId);
    expect(await first.release()).toBe(true);
    expect(await second.release()).toBe(false);
  });

  test("taken together in one call are independent of each other", async () => {
    const play = stage();
    const locks = await play.manager();
    const [a, b] = await locks.acquireMultipleLocks(["/a", "/b"], "ann");
    expect(a?.fencingToken).toBe(b?.fencingToken);
    expect(await a?.release()).toBe(true);
    expect(b?.signal.aborted).toBe(false);
    expect(await locks.getLockCount()).toBe(1);
  });
});

describe("Work under a lock", () => {
  test("within work of the same agent joins the outer lock, which ends with the outer work", async () => {
    const play = stage();
    const locks = await play.manager();
    const order: string[] = [];
    await locks.withLock("/a", "ann", {}, async (outer) => {
      await locks.withLock("/a", "ann", {}, async (inner) => {
        expect(inner.lockId).toBe(outer.lockId);
        order.push("inner");
      });
      expect(outer.signal.aborted).toBe(false);
      expect((await locks.getLock("/a"))?.lockId).toBe(outer.lockId);
      order.push("outer");
    });
    expect(order).toEqual(["inner", "outer"]);
    expect(await play.leftovers()).toEqual([]);
  });

  test("that throws gives the lock back before its error is told", async () => {
    const play = stage();
    const locks = await play.manager();
    const mine = new Error("the work failed");
    await expect(
      locks.withLock("/a", "ann", {}, () => {
        throw mine;
      }),
    ).rejects.toBe(mine);
    expect(await locks.getLockCount()).toBe(0);
    await expect(locks.withLock("/a", "ann", {}, () => Promise.reject(mine))).rejects.toBe(mine);
    expect(await play.leftovers()).toEqual([]);
  });

  test("whose lock was lost is rejected as lost, unless it rejects by itself", async () => {
    const locks = await stage().manager();
    const lose = async (lock: AcquiredLock): Promise<void> => {
      await locks.forceRelease(lock.resourcePath, { reason: "stuck" });
    };
    const error = await refusal(locks.withLock("/a", "ann", {}, lose), "lost");
    expect(error.message).toContain("operator");
    const mine = new Error("mine");
    const own = locks.withLock("/a", "ann", {}, async (lock) => {
      await lose(lock);
      throw mine;
    });
    await expect(own).rejects.toBe(mine);
  });

  test("whose lock was lost without anybody having told is rejected as lost all the same", async () => {
    const play = stage();
    const { store, locks } = await behindFaults(play);
    const other = await play.manager();
    store.hint("lost");
    const call = locks.withLock("/a", "ann", {}, async () => {
      await other.forceRelease("/a", { reason: "stuck" });
      return "done";
    });
    await refusal(call, "lost");
  });

  test("may give the lock back by itself, early", async () => {
    const play = stage();
    const locks = await play.manager();
    const answer = await locks.withLock("/a", "ann", {}, async (lock) => {
      expect(await lock.release()).toBe(true);
      return "done";
    });
    expect(answer).toBe("done");
  });

  test("keeps its result when the release fails, which an event tells; the lock then ends with its ttl", async () => {
    const play = stage();
    const { store, locks } = await behindFaults(play);
    const heard = gather(locks);
    const call = watch(
      locks.withLock("/a", "ann", { ttl: "10s" }, () => {
        store.down();
        return "done";
      }),
    );
    await play.clock.advance(2_000);
    expect(call.value).toBe("done");
    store.up();
    expect(await locks.getLockCount()).toBe(1);
    await play.clock.advance(9_000);
    expect(await play.leftovers()).toEqual([]);
    await heard.end();
    expect(heard.events.find((event) => event.type === "failed")).toMatchObject({
      call: "release",
      cause: "store_unavailable",
      agentId: "ann",
    });
  });

  test("does not begin when the lock cannot be had", async () => {
    const locks = await stage().manager();
    await locks.acquireLock("/a", "ann");
    await refusal(
      locks.withLock("/a", "bob", { timeout: 0 }, () => expect.fail("it began")),
      "held",
    );
  });

  test("may opt out of being extended", async () => {
    const play = stage();
    const locks = await play.manager();
    const call = watch(
      locks.withLock("/a", "ann", { ttl: "1s", autoExtend: false }, (lock) => {
        const { signal } = lock;
        return new Promise<string>((resolve) => {
          signal.addEventListener("abort", () => resolve("lost in time"));
        });
      }),
    );
    await play.clock.advance(1_010);
    expect(call.error).toMatchObject({ code: "lost" });
  });
});

describe("Automatic extension", () => {
  test("happens at a third of the ttl, again and again, and ends with the release", async () => {
    const play = stage();
    const locks = await play.manager();
    const heard = gather(locks);
    const began = play.clock.now();
    const lock = await locks.acquireLock("/a", "ann", { ttl: "3s", autoExtend: true });
    await play.clock.advance(10_000);
    expect((await locks.getLock("/a"))?.lockId).toBe(lock.lockId);
    const extended = heard.events.filter((event) => event.type === "extended");
    expect(extended.length).toBeGreaterThanOrEqual(9);
    expect(extended.length).toBeLessThanOrEqual(10);
    let last = began;
    for (const event of extended) {
      expect(event.at.getTime() - last).toBeGreaterThanOrEqual(999);
      expect(event.at.getTime() - last).toBeLessThanOrEqual(1_040);
      expect((event.expiresAt?.getTime() ?? 0) - event.at.getTime()).toBe(3_000);
      last = event.at.getTime();
    }
    expect(await lock.release()).toBe(true);
    await play.clock.advance(5_000);
    expect(heard.events.filter((event) => event.type === "extended")).toHaveLength(extended.length);
    await heard.end();
  });

  test("goes on for all handles as soon as one of them asks for it", async () => {
    const play = stage();
    const locks = await play.manager();
    const plain = await locks.acquireLock("/a", "ann", { ttl: "1s" });
    const kept = await locks.acquireLock("/a", "ann", { ttl: "1s", autoExtend: true });
    await play.clock.advance(5_000);
    expect(plain.signal.aborted).toBe(false);
    await kept.release();
    expect(await locks.getLockCount()).toBe(1);
  });

  test("survives an outage that is shorter than what is left, and ends in `lost` before a longer one is over", async () => {
    const play = stage();
    const { store, locks } = await behindFaults(play);
    const lock = await locks.acquireLock("/a", "ann", { ttl: "6s", autoExtend: true });
    const { signal } = lock;
    await play.clock.advance(1_900);
    store.down();
    await play.clock.advance(3_500);
    store.up();
    await play.clock.advance(10_000);
    expect(signal.aborted).toBe(false);
    store.down();
    await play.clock.advance(6_020);
    expect(signal.reason).toMatchObject({ code: "lost" });
    store.up();
    await play.clock.advance(500);
    expect(await play.leftovers()).toEqual([]);
    await refusal(lock.extend(), "lost");
    expect(await lock.release()).toBe(false);
  });

  test("does not pile up: after a stall of the process one extension follows, not several", async () => {
    const play = stage();
    const { store, locks } = await behindFaults(play);
    await locks.acquireLock("/a", "ann", { ttl: "9s", autoExtend: true });
    store.nextCommit({ kind: "slow", ms: 4_000 });
    const heard = gather(locks);
    await play.clock.advance(9_500);
    await heard.end();
    const extended = heard.events.filter((event) => event.type === "extended");
    expect(extended.length).toBeLessThanOrEqual(2);
    expect(extended.length).toBeGreaterThanOrEqual(1);
  });
});

describe("The signal of a lock", () => {
  test("aborts when it expires: no later than its expiry by more than 10 ms, with the way in its reason", async () => {
    const play = stage();
    const locks = await play.manager();
    const heard = gather(locks);
    const lock = await locks.acquireLock("/a", "ann", { ttl: "1s" });
    const { signal } = lock;
    await play.clock.advance(980);
    expect(signal.aborted).toBe(false);
    await play.clock.advance(30);
    expect(signal.reason).toBeInstanceOf(LockError);
    expect(signal.reason).toMatchObject({ code: "lost", family: "lost", facts: { resourcePath: "/a" } });
    await heard.end();
    const lost = heard.events.filter((event) => event.type === "lost");
    expect(lost).toMatchObject([{ cause: "expired", lockId: lock.lockId, agentId: "ann" }]);
  });

  test("is aborted already when it is first looked at after the loss", async () => {
    const play = stage();
    const locks = await play.manager();
    const lock = await locks.acquireLock("/a", "ann", { ttl: "1s" });
    await play.clock.advance(2_000);
    expect(lock.signal.aborted).toBe(true);
    expect(lock.signal.reason).toMatchObject({ code: "lost" });
    expect(lock.signal).toBe(lock.signal);
  });

  test("aborts at once when this manager releases it by force", async () => {
    const locks = await stage().manager();
    const { signal } = await locks.acquireLock("/a", "ann");
    await locks.forceRelease("/a", { reason: "stuck" });
    expect(signal.reason).toMatchObject({ code: "lost" });
    expect((signal.reason as LockError).message).toContain("operator");
  });

  test("aborts by hint when another manager releases it by force", async () => {
    const play = stage();
    const [one, two] = [await play.manager(), await play.manager()];
    const { signal } = await one.acquireLock("/a", "ann", { ttl: "10m" });
    await two.forceRelease("/a", { reason: "stuck" });
    await play.clock.settle();
    expect(signal.aborted).toBe(true);
  });

  test("aborts within the poll of five seconds when the hint was lost", async () => {
    const play = stage();
    const { store, locks } = await behindFaults(play);
    const other = await play.manager();
    const { signal } = await locks.acquireLock("/a", "ann", { ttl: "10m" });
    store.hint("lost");
    await other.forceRelease("/a", { reason: "stuck" });
    await play.clock.settle();
    expect(signal.aborted).toBe(false);
    await play.clock.advance(5_100);
    expect(signal.reason).toMatchObject({ code: "lost" });
  });

  test("is aborted from the start when the grant is told only after its ttl", async () => {
    const play = stage();
    const { store, locks } = await behindFaults(play);
    store.nextCommit({ kind: "slow", ms: 1_600 });
    const acquiring = locks.acquireLock("/a", "ann", { ttl: "1s", timeout: "10s" });
    await play.clock.advance(1_700);
    const lock = await acquiring;
    expect(lock.signal.reason).toMatchObject({ code: "lost", message: expect.stringContaining("expired") });
    expect(await lock.release()).toBe(false);
  });

  test("follows an extension or a shorter expiry that came through another manager", async () => {
    const play = stage();
    const [one, two] = [await play.manager(), await play.manager()];
    const lock = await one.acquireLock("/a", "ann", { ttl: "7s" });
    const { signal } = lock;
    await two.extendLock("/a", "ann", lock.lockId, "30s");
    await play.clock.advance(10_000);
    expect(signal.aborted).toBe(false);
    await two.extendLock("/a", "ann", lock.lockId, "1s");
    await play.clock.advance(1_100);
    expect(signal.aborted).toBe(true);
  });

  test("is told of the loss before the next holder has the lock", async () => {
    const play = stage();
    const [one, two] = [await play.manager(), await play.manager()];
    for (const next of [one, two]) {
      const order: string[] = [];
      const lock = await one.acquireLock("/a", "ann", { ttl: 333 });
      lock.signal.addEventListener("abort", () => order.push("ann is told"));
      const waiting = next.acquireLock("/a", "bob").then((mine) => {
        order.push("bob holds");
        return mine;
      });
      await play.clock.advance(400);
      const mine = await waiting;
      expect(order).toEqual(["ann is told", "bob holds"]);
      expect(mine.fencingToken).toBeGreaterThan(lock.fencingToken);
      await mine.release();
    }
  });

  test("once aborted stays so: a late success of an extension is given back", async () => {
    const play = stage();
    const { store, locks } = await behindFaults(play);
    const lock = await locks.acquireLock("/a", "ann", { ttl: "1s" });
    const { signal } = lock;
    await play.clock.advance(900);
    // Carried out in time, answered too late.
    store.nextCommit({ kind: "slow", ms: 180 });
    const extension = watch(lock.extend("1m"));
    await play.clock.advance(150);
    expect(signal.aborted).toBe(true);
    await play.clock.advance(200);
    expect(extension.error).toMatchObject({ code: "lost" });
    await play.clock.advance(1_000);
    expect(await play.leftovers()).toEqual([]);
  });
});
