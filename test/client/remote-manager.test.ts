import { describe, expect, test } from "vitest";
import { connectLockManager } from "../../src/client/node.js";
import { systemClock } from "../../src/clock/system-clock.js";
import { LockError } from "../../src/errors.js";
import type { LockManager } from "../../src/lock-manager.js";
import { queueLength, startTestServer, type TestServer, until } from "../server/running-server.js";

async function connected(
  options: Parameters<typeof startTestServer>[0] = {},
): Promise<{ api: TestServer; remote: LockManager } & AsyncDisposable> {
  const api = await startTestServer(options);
  const remote = connectLockManager(api.url, { agentId: "operator" });
  return {
    api,
    remote,
    [Symbol.asyncDispose]: async () => {
      await remote.close();
      await api[Symbol.asyncDispose]();
    },
  };
}

async function failure(call: Promise<unknown>): Promise<LockError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof LockError) return error;
    throw error;
  }
  throw new Error("It did not fail.");
}

describe("a lock manager of a server", () => {
  test("acquires, extends and releases", async () => {
    await using both = await connected();
    const { api, remote } = both;
    const lock = await remote.acquireLock("repo/a.ts", "ann", {
      ttl: "30s",
      mode: "shared",
      scope: "tree",
      reason: "why",
      metadata: { host: "dev", ["__proto__"]: "x" },
    });
    const known = await api.manager.getLock("/repo/a.ts");
    expect({ ...known }).toEqual({
      lockId: lock.lockId,
      resourcePath: "/repo/a.ts",
      agentId: "ann",
      mode: "shared",
      scope: "tree",
      fencingToken: lock.fencingToken,
      acquiredAt: lock.acquiredAt,
      expiresAt: lock.expiresAt,
      ttlMs: 30_000,
      reason: "why",
      metadata: lock.metadata,
    });
    expect(Object.keys(lock.metadata ?? {})).toEqual(["host", "__proto__"]);
    const extended = await lock.extend("2m");
    expect(lock.ttlMs).toBe(120_000);
    expect(lock.expiresAt).toEqual(extended.expiresAt);
    expect((await api.manager.getLock("/repo/a.ts"))?.expiresAt).toEqual(extended.expiresAt);
    expect(lock.signal.aborted).toBe(false);
    expect(await lock.release()).toBe(true);
    expect(lock.signal.reason).toMatchObject({ code: "lost" });
    expect(await lock.release()).toBe(false);
    expect(await api.manager.getLockCount()).toBe(0);
  });

  test("shows what the manager itself shows", async () => {
    await using both = await connected();
    const { api, remote } = both;
    const { manager } = api;
    await manager.acquireMultipleLocks(["/p/a", "/p/b", "/q"], "ann", { reason: "r" });
    await manager.acquireLock("/p", "bob", { mode: "shared" });
    const gone = new AbortController();
    const waiting = manager.acquireLock("/p/a", "cat", { timeout: "1h", signal: gone.signal });
    await until(async () => (await queueLength(manager, "/p/a")) === 1);

    for (const path of ["/p/a", "/p", "/", "/nothing/here", "/50%/é?#"]) {
      expect(await remote.getResource(path)).toEqual(await manager.getResource(path));
      expect(await remote.getLock(path)).toEqual(await manager.getLock(path));
    }
    expect(await remote.listLocks()).toEqual(await manager.listLocks());
    const page = await remote.listLocks({ prefix: "/p", limit: 2, mode: "exclusive", expiringWithin: "1h" });
    expect(page).toEqual(
      await manager.listLocks({ prefix: "/p", limit: 2, mode: "exclusive", expiringWithin: "1h" }),
    );
    expect(await remote.getAgent("ann")).toEqual(await manager.getAgent("ann"));
    expect(await remote.getAgentLocks("cat")).toEqual([]);
    expect(await remote.getStats()).toEqual(await manager.getStats());
    expect(await remote.getLockCount()).toBe(4);
    expect(await remote.checkLocks(["/p/a", "/p", "/free"], "ann")).toEqual(
      await manager.checkLocks(["/p/a", "/p", "/free"], "ann"),
    );
    expect(await remote.metrics()).toContain("engram_active_locks 4");
    gone.abort();
    await expect(waiting).rejects.toMatchObject({ code: "aborted" });
  });

  test("refuses as the manager itself does: the same code, the same facts", async () => {
    await using both = await connected({ config: { maxLocksPerAgent: 2 } });
    const { api, remote } = both;
    const held = await api.manager.acquireLock("/a", "ann", { reason: "why" });
    await api.manager.acquireMultipleLocks(["/c", "/d"], "cat");
    const calls: ((manager: LockManager) => Promise<unknown>)[] = [
      (manager) => manager.acquireLock("/a", "bob", { timeout: 0 }),
      (manager) => manager.acquireMultipleLocks(["/x", "/a"], "bob", { timeout: 0 }),
      (manager) => manager.acquireLock("/new", "cat", { timeout: 0 }),
      (manager) => manager.acquireLock("/a", "ann", { timeout: 0, mode: "shared" }),
      (manager) => manager.releaseLock("/a", "bob", held.lockId),
      (manager) => manager.extendLock("/a", "bob", held.lockId),
      (manager) => manager.extendLock("/a", "ann", "no-such-lock"),
    ];
    for (const call of calls) {
      const [there, here] = [await failure(call(remote)), await failure(call(api.manager))];
      expect(there.code).toBe(here.code);
      expect({ ...there.facts, waitedMs: undefined }).toEqual({ ...here.facts, waitedMs: undefined });
      expect([there.family, there.exitCode, there.retryable]).toEqual([
        here.family,
        here.exitCode,
        here.retryable,
      ]);
    }
    expect(await api.manager.getLockCount()).toBe(3);
  });

  test("tells of a deadlock with its cycle", async () => {
    await using both = await connected();
    const { api, remote } = both;
    await api.manager.acquireLock("/a", "ann");
    await api.manager.acquireLock("/b", "bob");
    const waiting = remote.acquireLock("/b", "ann", { timeout: "1m" });
    await until(async () => (await queueLength(api.manager, "/b")) === 1);
    const error = await failure(remote.acquireLock("/a", "bob", { timeout: "1m" }));
    expect(error.code).toBe("deadlock");
    expect(error.facts.cycle).toContainEqual({ agentId: "ann", waitsFor: "/b", blockedBy: "bob" });
    await api.post("/v1/locks/release", { agent_id: "bob", all: true });
    expect((await waiting).resourcePath).toBe("/b");
  });

  test("refuses bad input as `invalid`", async () => {
    await using both = await connected();
    const { remote } = both;
    const codes = await Promise.all(
      [
        remote.acquireLock("", "ann"),
        remote.acquireLock("/a", ""),
        remote.acquireLock("/a", "ann", { ttl: Number.NaN }),
        remote.acquireLock("/a", "ann", { ttl: Infinity }),
        remote.acquireLock("/a", "ann", { ttl: "soon" }),
        remote.acquireLock("/a", "ann", { timeout: -1 }),
        remote.acquireLock("/a\ud800", "ann"),
        remote.extendLock("/a", "ann", "x", Number.NaN),
        remote.getResource(""),
        remote.getResource(".."),
        remote.getResource("a/../b"),
        remote.getResource("\ud800"),
        remote.getAgent(""),
        remote.listLocks({ limit: 0 }),
        remote.forceRelease("/a", { reason: "" }),
      ].map(async (call) => (await failure(call)).code),
    );
    // Not that nothing is at this address.
    await expect(remote.getAgent("")).rejects.toThrow(
      'Invalid agentId "": expected a string of 1 to 256 bytes.',
    );
    // An empty reason is allowed in process as well.
    expect(codes.slice(0, -1)).toEqual(codes.slice(0, -1).map(() => "invalid"));
  });

  test("releases by force, and tells its own holder", async () => {
    await using both = await connected();
    const { api, remote } = both;
    const lock = await remote.acquireLock("/a", "ann");
    const ended = await remote.forceRelease("/a", { reason: "operator says so" });
    expect(ended).toMatchObject([{ lockId: lock.lockId, agentId: "ann" }]);
    expect(lock.signal.reason).toMatchObject({ code: "lost" });
    expect(await api.manager.getLockCount()).toBe(0);
    expect(await remote.forceRelease("/a", { reason: "again" })).toEqual([]);
  });

  test("waits until its turn comes, and leaves the queue when aborted", async () => {
    await using both = await connected();
    const { api, remote } = both;
    const held = await api.manager.acquireLock("/a", "bob");
    const gone = new AbortController();
    const leaving = remote.acquireLock("/a", "ann", { timeout: Infinity, signal: gone.signal });
    await until(async () => (await queueLength(api.manager, "/a")) === 1);
    gone.abort(new Error("no longer wanted"));
    const error = await failure(leaving);
    expect(error).toMatchObject({ code: "aborted", cause: { message: "no longer wanted" } });
    await until(async () => (await queueLength(api.manager, "/a")) === 0);

    const staying = remote.acquireLock("/a", "ann", { timeout: Infinity });
    await until(async () => (await queueLength(api.manager, "/a")) === 1);
    await held.release();
    expect((await staying).agentId).toBe("ann");
    const before = AbortSignal.abort();
    expect((await failure(remote.acquireLock("/b", "ann", { signal: before }))).code).toBe("aborted");
    expect((await failure(remote.getStats({ signal: before }))).code).toBe("aborted");
  });

  test("counts the handles of one lock", async () => {
    await using both = await connected();
    const { api, remote } = both;
    const first = await remote.acquireLock("/a", "ann");
    const second = await remote.acquireLock("/a", "ann");
    expect(second.lockId).toBe(first.lockId);
    expect(await second.release()).toBe(true);
    expect(first.signal.aborted).toBe(false);
    expect(await api.manager.getLockCount()).toBe(1);
    await first[Symbol.asyncDispose]();
    expect(await api.manager.getLockCount()).toBe(0);
  });

  test("runs work under a lock", async () => {
    await using both = await connected();
    const { api, remote } = both;
    const result = await remote.withLock("/a", "ann", { ttl: "10s" }, async (lock) => {
      expect((await api.manager.getLock("/a"))?.lockId).toBe(lock.lockId);
      return 42;
    });
    expect(result).toBe(42);
    expect(await api.manager.getLockCount()).toBe(0);
    await expect(
      remote.withLock("/a", "ann", {}, () => {
        throw new RangeError("of the work");
      }),
    ).rejects.toThrow(RangeError);
    await until(async () => (await api.manager.getLockCount()) === 0);
    const lost = remote.withLock("/a", "ann", {}, () => remote.forceRelease("/a", { reason: "x" }));
    expect((await failure(lost)).code).toBe("lost");
  });

  test("tells of events, as the manager itself does", async () => {
    await using both = await connected();
    const { api, remote } = both;
    const events = remote.events({ prefix: "/a", types: ["acquired", "released"] });
    await remote.getStats();
    await api.manager.acquireLock("/b", "bob");
    const lock = await remote.acquireLock("/a/b", "ann", { reason: "why" });
    await lock.release();
    const { value: acquired } = await events.next();
    const { value: released } = await events.next();
    expect(acquired).toMatchObject({ type: "acquired", resourcePath: "/a/b", agentId: "ann", reason: "why" });
    expect(released).toMatchObject({ type: "released", lockId: lock.lockId, at: expect.any(Date) });
    expect(released.id).toBeGreaterThan(acquired.id);
    await events.return?.();
    expect(await events.next()).toEqual({ done: true, value: undefined });
  });

  test("refuses a bad filter of events when they are read", async () => {
    await using both = await connected();
    const events = both.remote.events({ prefix: "a//b" });
    expect(await failure(events.next())).toMatchObject({ code: "invalid", facts: { field: "prefix" } });
    expect(await events.next()).toMatchObject({ done: true });
  });

  test("knows store time, not earlier than it is", async () => {
    await using both = await connected();
    const { api, remote } = both;
    await remote.getStats();
    const ahead = remote.currentTime().getTime() - api.manager.currentTime().getTime();
    expect(ahead).toBeGreaterThanOrEqual(-1);
    expect(ahead).toBeLessThan(1_000);
  });
});

describe("a lock acquired from a server", () => {
  test("may wait longer than it lives: its time begins when it is granted", async () => {
    await using both = await connected();
    const { api, remote } = both;
    const held = await api.manager.acquireLock("/a", "bob", { ttl: 400 });
    const lock = await remote.acquireLock("/a", "ann", { ttl: 300, timeout: "1m" });
    expect(held.fencingToken).toBeLessThan(lock.fencingToken);
    expect(lock.signal.aborted).toBe(false);
    expect(lock.expiresAt.getTime() - remote.currentTime().getTime()).toBeGreaterThan(0);
  });
});

describe("closing", () => {
  test("ends calls that wait, and all later ones", async () => {
    await using both = await connected();
    const { api, remote } = both;
    await api.manager.acquireLock("/a", "bob");
    const lock = await remote.acquireLock("/b", "ann");
    const waiting = failure(remote.acquireLock("/a", "ann", { timeout: "1h" }));
    await until(async () => (await queueLength(api.manager, "/a")) === 1);
    await remote.close();
    expect((await waiting).code).toBe("closed");
    expect((await failure(remote.getStats())).code).toBe("closed");
    expect(lock.signal.reason).toMatchObject({ code: "closed" });
    await until(async () => (await queueLength(api.manager, "/a")) === 0);
    expect((await api.manager.getLock("/b"))?.lockId).toBe(lock.lockId);
    await remote.close();
  });

  test("with release gives back what it acquired", async () => {
    await using both = await connected();
    const { api, remote } = both;
    await api.manager.acquireLock("/other", "ann");
    await remote.acquireMultipleLocks(["/a", "/b"], "ann");
    await remote.close({ release: true });
    expect((await api.manager.listLocks()).locks.map((lock) => lock.resourcePath)).toEqual(["/other"]);
  });
});

test("refuses an address that is none of a server", () => {
  for (const url of [
    "",
    "127.0.0.1:7420",
    "redis://localhost",
    "http://user:secret@localhost/",
    "http://localhost/?a=b",
  ]) {
    expect(() => connectLockManager(url, { clock: systemClock })).toThrow(LockError);
  }
});
