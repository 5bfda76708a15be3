/** The limit on the locks of one agent is exact at every revision of the store, whoever grants (invariant I7). */
import { describe, expect, test } from "vitest";
import type { LockManager } from "../../src/lock-manager.js";
import { refusal, type Stage, stage, type Watched, watch } from "./stage.js";

const limit = 5;

async function two(play: Stage): Promise<[LockManager, LockManager]> {
  const config = { maxLocksPerAgent: limit };
  return [await play.manager(config), await play.manager(config)];
}

function codes(calls: readonly Watched<unknown>[]): string[] {
  return calls.map((call) =>
    call.state === "rejected" ? (call.error as { code: string }).code : call.state,
  );
}

describe("The limit on locks", () => {
  test("holds when an agent asks two managers for everything at once", async () => {
    const play = stage();
    const managers = await two(play);
    const calls = Array.from({ length: 40 }, (_, n) =>
      watch(managers[n % 2]!.acquireLock(`/a/${n}`, "ann", { ttl: "10s" })),
    );
    await play.clock.advance(1_000);
    const answers = codes(calls);
    expect(answers.filter((answer) => answer === "resolved")).toHaveLength(limit);
    expect(answers.filter((answer) => answer === "limit_exceeded")).toHaveLength(40 - limit);
    expect(await managers[0].getLockCount()).toBe(limit);
  });

  test("counts a multi-acquire whole, and refuses it whole", async () => {
    const play = stage();
    const [one, other] = await two(play);
    await one.acquireMultipleLocks(["/a", "/b", "/c"], "ann");
    await refusal(other.acquireMultipleLocks(["/d", "/e", "/f"], "ann"), "limit_exceeded");
    expect(await other.getLockCount()).toBe(3);
    // Those that are held already cost nothing.
    expect(await other.acquireMultipleLocks(["/a", "/b", "/c", "/d", "/e"], "ann")).toHaveLength(5);
  });

  test("never stands in the way of a renewal", async () => {
    const play = stage();
    const [one, other] = await two(play);
    const paths = ["/a", "/b", "/c", "/d", "/e"];
    const locks = await one.acquireMultipleLocks(paths, "ann");
    for (const [index, path] of paths.entries()) {
      expect((await other.acquireLock(path, "ann")).lockId).toBe(locks[index]?.lockId);
      await other.extendLock(path, "ann", locks[index]!.lockId, "2m");
    }
    await refusal(one.acquireLock("/f", "ann"), "limit_exceeded");
  });

  test("does not count what has expired, also when nobody has removed it", async () => {
    const play = stage();
    const [gone, here] = await two(play);
    await gone.acquireMultipleLocks(["/a", "/b", "/c", "/d", "/e"], "ann", { ttl: "1s" });
    await gone.close();
    await refusal(here.acquireLock("/f", "ann"), "limit_exceeded");
    await play.clock.advance(1_010);
    expect((await play.leftovers()).filter((key) => key.startsWith("lock/"))).toHaveLength(5);
    expect((await here.acquireLock("/f", "ann")).agentId).toBe("ann");
    expect(await here.getLockCount()).toBe(1);
    expect((await play.leftovers()).filter((key) => key.startsWith("lock/"))).toEqual(["lock/f"]);
  });

  test("is relieved by another agent's takeover of an expired lock", async () => {
    const play = stage();
    const [gone, here] = await two(play);
    await gone.acquireMultipleLocks(["/a", "/b", "/c", "/d", "/e"], "ann", { ttl: "1s" });
    await gone.close();
    await play.clock.advance(1_010);
    await play.run(here.acquireMultipleLocks(["/a", "/b"], "bob"));
    const mine = await play.run(here.acquireMultipleLocks(["/f", "/g", "/h", "/i", "/j"], "ann"));
    expect(mine).toHaveLength(5);
    expect(await here.getAgentLocks("ann")).toHaveLength(5);
    await refusal(play.run(here.acquireLock("/c", "ann")), "limit_exceeded");
  });

  test("is judged at the grant: a waiter at its limit is refused then, and the next is served", async () => {
    const play = stage();
    const [one, other] = await two(play);
    const held = await one.acquireLock("/a", "zoe");
    const ann = watch(other.acquireLock("/a", "ann"));
    await play.clock.settle();
    const bob = watch(one.acquireLock("/a", "bob"));
    await play.clock.settle();
    await one.acquireMultipleLocks(["/1", "/2", "/3", "/4", "/5"], "ann");
    watch(held.release());
    await play.clock.advance(100);
    expect(codes([ann, bob])).toEqual(["limit_exceeded", "resolved"]);
    expect(await one.getStats()).toMatchObject({ waiters: 0 });
  });

  test("stays exact when waiters of one agent are served by two managers at once", async () => {
    const play = stage();
    const managers = await two(play);
    const holders = await Promise.all(
      Array.from({ length: 12 }, (_, n) => managers[n % 2]!.acquireLock(`/a/${n}`, `holder-${n}`)),
    );
    const calls = holders.map((lock, n) =>
      watch(managers[(n + 1) % 2]!.acquireLock(lock.resourcePath, "ann", { timeout: "1m" })),
    );
    await play.clock.settle();
    for (const lock of holders) watch(lock.release());
    await play.clock.advance(5_000);
    expect(codes(calls).filter((code) => code === "resolved")).toHaveLength(limit);
    expect(codes(calls).filter((code) => code === "limit_exceeded")).toHaveLength(12 - limit);
    expect(await managers[0].getAgentLocks("ann")).toHaveLength(limit);
  });

  test("is not each manager's own: the strictest refuses, the others go by theirs", async () => {
    const play = stage();
    const strict = await play.manager({ maxLocksPerAgent: 1 });
    const free = await play.manager({ maxLocksPerAgent: 3 });
    await free.acquireMultipleLocks(["/a", "/b"], "ann");
    await refusal(strict.acquireLock("/c", "ann"), "limit_exceeded");
    await free.acquireLock("/c", "ann");
    await refusal(free.acquireLock("/d", "ann"), "limit_exceeded");
  });

  test("lets an agent fill it again and again", async () => {
    const play = stage();
    const [one, other] = await two(play);
    for (let round = 0; round < 20; round++) {
      const calls = Array.from({ length: limit }, (_, n) =>
        (n % 2 === 0 ? one : other).acquireLock(`/a/${n}`, "ann"),
      );
      const locks = await play.run(Promise.all(calls));
      await refusal(play.run(one.acquireLock("/more", "ann")), "limit_exceeded");
      await play.run(Promise.all(locks.map((lock) => lock.release())));
    }
    expect(await play.leftovers()).toEqual([]);
  });
});
