/** The usage examples of the documentation, as they stand there. */
import { describe, expect, onTestFinished, test } from "vitest";
import { createLockManager, LockError, openStore } from "../../src/index.js";
import { leftovers, realManager, refusal } from "./stage.js";

describe("As the documentation shows, one", () => {
  test("opens a store, creates a manager with every field, and takes and gives back a lock", async () => {
    const store = await openStore("memory:");
    const locks = await createLockManager(
      {
        type: "enhanced",
        defaultTtl: "1m",
        cleanupInterval: "1m",
        maxLocksPerAgent: 100,
        acquisitionTimeout: "5s",
        maxRetries: 3,
        retryDelay: "100ms",
        retryBackoff: 1.5,
        retryJitter: "20ms",
        maxTtl: "24h",
        policies: { builds: { defaultTtl: "10m", maxTtl: "1h" } },
      },
      store,
    );
    onTestFinished(() => locks.close());

    const controller = new AbortController();
    const lock = await locks.acquireLock("/resources/myresource", "agent-123", {
      ttl: "1m",
      timeout: "5s",
      signal: controller.signal,
      mode: "exclusive",
      scope: "resource",
      reason: "an example",
      metadata: { task: "42" },
      autoExtend: false,
    });
    expect(lock).toMatchObject({
      resourcePath: "/resources/myresource",
      agentId: "agent-123",
      mode: "exclusive",
      scope: "resource",
      ttlMs: 60_000,
      reason: "an example",
      metadata: { task: "42" },
    });
    expect(lock.lockId).toMatch(/^[0-9a-f]{32}$/);
    expect(lock.fencingToken).toBeGreaterThan(0);
    expect(lock.expiresAt.getTime() - lock.acquiredAt.getTime()).toBe(60_000);
    expect(lock.signal.aborted).toBe(false);

    expect(await locks.releaseLock("/resources/myresource", "agent-123", lock.lockId)).toBe(true);
    expect(await locks.releaseLock("/resources/myresource", "agent-123", lock.lockId)).toBe(false);
    expect(await leftovers(store)).toEqual([]);
  });

  test("takes several resources together, and gets them in the order asked", async () => {
    const locks = await realManager();
    const taken = await locks.acquireMultipleLocks(
      ["/resource/b", "/resource/a", "resource/b/"],
      "agent-123",
      {
        ttl: "1m",
      },
    );
    expect(taken.map((lock) => lock.resourcePath)).toEqual(["/resource/b", "/resource/a"]);
    for (const lock of taken) expect(await lock.release()).toBe(true);
    expect(await locks.getLockCount()).toBe(0);
    expect(await locks.acquireMultipleLocks([], "agent-123")).toEqual([]);
  });

  test("extends a lock to exactly now and the ttl", async () => {
    const locks = await realManager();
    const lock = await locks.acquireLock("/a", "agent-123", { ttl: "1m" });
    const before = locks.currentTime().getTime();
    const extended = await locks.extendLock("/a", "agent-123", lock.lockId, "2m");
    expect(extended.ttlMs).toBe(120_000);
    expect(extended.expiresAt.getTime()).toBeGreaterThanOrEqual(before + 120_000);
    expect(extended.expiresAt.getTime()).toBeLessThanOrEqual(locks.currentTime().getTime() + 120_000);
    expect(lock.expiresAt).toEqual(extended.expiresAt);
    expect((await lock.extend("30s")).ttlMs).toBe(30_000);
    expect(lock.ttlMs).toBe(30_000);
    expect(extended.fencingToken).toBe(lock.fencingToken);
  });

  test("lists and manages locks", async () => {
    const locks = await realManager();
    await locks.acquireLock("/repo/a", "ann");
    await locks.acquireLock("/repo/b", "bob", { mode: "shared" });
    await locks.acquireLock("/other", "ann");

    expect((await locks.getLock("/repo/a"))?.agentId).toBe("ann");
    expect(await locks.getLock("/nobody")).toBeUndefined();
    expect((await locks.listLocks()).locks.map((lock) => lock.resourcePath)).toEqual([
      "/other",
      "/repo/a",
      "/repo/b",
    ]);
    expect((await locks.listLocks({ prefix: "/repo" })).locks).toHaveLength(2);
    expect((await locks.listLocks({ mode: "shared" })).locks.map((lock) => lock.agentId)).toEqual(["bob"]);
    expect((await locks.getAgentLocks("ann")).map((lock) => lock.resourcePath).toSorted()).toEqual([
      "/other",
      "/repo/a",
    ]);
    expect(await locks.getLockCount()).toBe(3);
    expect(await locks.getStats()).toMatchObject({ locks: 3, waiters: 0, agents: 2 });
    expect(await locks.getAgent("ann")).toMatchObject({ agentId: "ann", limit: 100, waiting: [] });

    const checked = await locks.checkLocks(["/repo/a", "/repo/b", "/free"], "ann");
    expect(checked.mine.map((lock) => lock.resourcePath)).toEqual(["/repo/a"]);
    expect(checked.theirs.map((one) => one.resourcePath)).toEqual(["/repo/b"]);
    expect(checked.free).toEqual(["/free"]);

    const ended = await locks.forceRelease("/repo/a", { reason: "operator says so" });
    expect(ended.map((lock) => lock.agentId)).toEqual(["ann"]);
    expect(await locks.forceRelease("/repo/a", { reason: "operator says so" })).toEqual([]);
  });

  test("pages through a list without missing or repeating a lock", async () => {
    const locks = await realManager();
    await locks.acquireMultipleLocks(
      Array.from({ length: 45 }, (_, n) => `/many/${n}`),
      "ann",
    );
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await locks.listLocks({ limit: 10, ...(cursor === undefined ? {} : { cursor }) });
      expect(page.locks.length).toBeLessThanOrEqual(10);
      seen.push(...page.locks.map((lock) => lock.resourcePath));
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    expect(seen).toHaveLength(45);
    expect(new Set(seen).size).toBe(45);
    expect(seen).toEqual(seen.toSorted());
  });

  test("works under a lock, which is released afterwards", async () => {
    const locks = await realManager();
    const answer = await locks.withLock("/a", "agent-123", { ttl: "30s" }, async (lock) => {
      expect(lock.signal.aborted).toBe(false);
      expect((await locks.getLock("/a"))?.lockId).toBe(lock.lockId);
      return 42;
    });
    expect(answer).toBe(42);
    expect(await locks.getLock("/a")).toBeUndefined();
  });

  test("holds a lock for the length of a block with `await using`", async () => {
    const locks = await realManager();
    {
      const lock = await locks.acquireLock("/a", "ann");
      onTestFinished(() => lock.release().then(() => undefined));
      await lock[Symbol.asyncDispose]();
    }
    expect(await locks.getLock("/a")).toBeUndefined();
  });

  test("reads events as they happen, and metrics as Prometheus text", async () => {
    const locks = await realManager();
    const events = locks.events();
    const lock = await locks.acquireLock("/builds/web", "ann");
    await lock.release();
    const types: string[] = [];
    for await (const event of events) {
      types.push(event.type);
      if (event.type === "released") break;
    }
    expect(types).toEqual(["acquired", "released"]);
    expect(await locks.metrics()).toContain(
      'engram_lock_acquisitions_total{resource_type="builds",success="true"} 1',
    );
  });

  test("branches on the code of an error, which names the holder, the expiry and what to do next", async () => {
    const locks = await realManager();
    const held = await locks.acquireLock("/a", "ann", { reason: "refactoring" });
    const error = await refusal(locks.acquireLock("/a", "bob", { timeout: 0 }), "held");
    expect(error).toBeInstanceOf(LockError);
    expect(error).toMatchObject({ family: "refused", httpStatus: 409, exitCode: 75, retryable: true });
    expect(error.facts.conflicts).toEqual([
      {
        resourcePath: "/a",
        agentId: "ann",
        mode: "exclusive",
        scope: "resource",
        standing: "holder",
        reason: "refactoring",
        since: held.acquiredAt,
        expiresAt: held.expiresAt,
      },
    ]);
    expect(error.facts.next?.length).toBeGreaterThan(0);
    expect(error.message).toContain('"ann"');
    expect(error.message).toContain("refactoring");
  });
});

describe("A basic manager", () => {
  test("takes, extends and gives back, and refuses what is held at once", async () => {
    const locks = await realManager({ type: "basic" });
    const lock = await locks.acquireLock("/a", "ann");
    expect(lock.ttlMs).toBe(60_000);
    await refusal(locks.acquireLock("/a", "bob"), "held");
    expect((await lock.extend("5m")).ttlMs).toBe(300_000);
    expect(await lock.release()).toBe(true);
  });

  test("takes several in any order without deadlock: all or none", async () => {
    const locks = await realManager({ type: "basic" });
    const results = await Promise.allSettled([
      locks.acquireMultipleLocks(["/a", "/b"], "ann"),
      locks.acquireMultipleLocks(["/b", "/a"], "bob"),
    ]);
    expect(results.map((one) => one.status).toSorted()).toEqual(["fulfilled", "rejected"]);
    expect(await locks.getLockCount()).toBe(2);
  });

  test("has no waiting, no metrics and no limit on locks", async () => {
    const locks = await realManager({ type: "basic", maxLocksPerAgent: 1 });
    expect((await refusal(locks.acquireLock("/a", "ann", { timeout: "1s" }), "invalid")).facts.field).toBe(
      "timeout",
    );
    expect((await refusal(locks.metrics(), "invalid")).facts.field).toBe("type");
    await locks.acquireMultipleLocks(["/a", "/b", "/c"], "ann");
    expect(await locks.getLockCount()).toBe(3);
  });
});
