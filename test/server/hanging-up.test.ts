import { setMaxListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { createLockManager } from "../../src/create-lock-manager.js";
import type { AcquiredLock } from "../../src/lock-manager.js";
import { intercept, latch } from "./intercept.js";
import { keptLog } from "./kept-log.js";
import { queueLength, startTestServer, until } from "./running-server.js";

const settled = { status: "rejected" };

describe("a caller that hangs up", () => {
  test("while waiting leaves the queue", async () => {
    await using api = await startTestServer();
    const held = await api.manager.acquireLock("/a", "bob");
    const gone = new AbortController();
    const json = { resource_path: "/a", agent_id: "ann", timeout: "1h" };
    const waiting = api.call("POST", "/v1/locks", { json, signal: gone.signal });
    await until(async () => (await queueLength(api.manager, "/a")) === 1);
    gone.abort();
    await expect(waiting).rejects.toMatchObject({ code: "ABORT_ERR" });
    await until(async () => (await queueLength(api.manager, "/a")) === 0);
    await held.release();
    expect(await api.manager.getLock("/a")).toBeUndefined();
  });

  test("a thousand times leaves nothing behind", { timeout: 60_000 }, async () => {
    const waits = 1_000;
    const log = keptLog();
    await using api = await startTestServer({ maxWaits: waits, logger: log.logger });
    await api.manager.acquireLock("/a", "bob");
    const waitAll = (signal: AbortSignal): Promise<PromiseSettledResult<unknown>[]> =>
      Promise.allSettled(
        Array.from({ length: waits }, (_, index) =>
          index % 2 === 0
            ? api.call("POST", "/v1/locks", {
                json: { resource_path: "/a", agent_id: `agent-${index}`, timeout: "1h" },
                headers: index % 4 === 0 ? { "idempotency-key": `key-${index}` } : {},
                signal,
              })
            : api.get("/v1/resources/a?wait_for=free&timeout=1h", { signal }),
        ),
      );
    const queue = { queued: 0, dequeued: 0 };
    const counting = new AbortController();
    const counted = (async () => {
      const types = ["queued", "dequeued"] as const;
      for await (const { type } of api.manager.events({ types, signal: counting.signal })) {
        if (type === "queued" || type === "dequeued") queue[type]++;
      }
    })();
    for (const round of [1, 2]) {
      // Each round fits only if all of the round before have been counted out.
      const gone = new AbortController();
      setMaxListeners(0, gone.signal);
      const all = waitAll(gone.signal);
      await until(() => queue.queued === (round * waits) / 2);
      gone.abort();
      for (const outcome of await all) expect(outcome).toMatchObject(settled);
      await until(() => log.lines.filter((line) => line.includes('"status":499')).length === round * waits);
      await until(() => queue.dequeued === (round * waits) / 2);
    }
    counting.abort();
    await counted;
    expect(await api.manager.getStats()).toMatchObject({ locks: 1, waiters: 0, agents: 1 });
  });

  test("just when its lock is granted has the lock released again", async () => {
    const manager = await createLockManager({}, "memory:");
    const granted = latch();
    const server = intercept(manager, {
      acquireLock: async (path, agentId, { signal, ...options } = {}): Promise<AcquiredLock> => {
        const lock = await manager.acquireLock(path, agentId, options);
        const heard = new Promise<void>((resolve) => signal?.addEventListener("abort", () => resolve()));
        granted.open();
        await heard;
        return lock;
      },
    });
    await using api = await startTestServer({ manager: server });
    for (const headers of [{}, { "idempotency-key": "k1" }]) {
      const gone = new AbortController();
      const json = { resource_path: "/a", agent_id: "ann" };
      const asking = api.call("POST", "/v1/locks", { json, headers, signal: gone.signal });
      await granted.opened;
      await until(async () => (await manager.getLock("/a")) !== undefined);
      gone.abort();
      await expect(asking).rejects.toMatchObject({ code: "ABORT_ERR" });
      await until(async () => (await manager.getLock("/a")) === undefined);
    }
  });

  test("keeps the lock it had before", async () => {
    const manager = await createLockManager({}, "memory:");
    const known = await manager.acquireLock("/a", "ann");
    const granted = latch();
    let second: AcquiredLock | undefined;
    const server = intercept(manager, {
      acquireLock: async (path, agentId, { signal, ...options } = {}): Promise<AcquiredLock> => {
        second = await manager.acquireLock(path, agentId, options);
        const heard = new Promise<void>((resolve) => signal?.addEventListener("abort", () => resolve()));
        granted.open();
        await heard;
        return second;
      },
    });
    await using api = await startTestServer({ manager: server });
    const gone = new AbortController();
    const json = { resource_path: "/a", agent_id: "ann" };
    const asking = api.call("POST", "/v1/locks", { json, signal: gone.signal });
    await granted.opened;
    gone.abort();
    await expect(asking).rejects.toMatchObject({ code: "ABORT_ERR" });
    // The handle of the second acquire has been given back once a release of it finds nothing more to do.
    await api.get("/healthz");
    await api.server.drain();
    expect(await second?.release()).toBe(false);
    expect((await manager.getLock("/a"))?.lockId).toBe(known.lockId);
  });

  test("before it has sent its body is no failure", async () => {
    await using api = await startTestServer();
    const socket = await api.socket();
    socket.write(
      "POST /v1/locks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
    );
    await api.get("/healthz");
    socket.destroy();
    expect((await api.get("/readyz")).status).toBe(200);
  });

  test("with several requests on one connection leaves the queue with all of them", async () => {
    await using api = await startTestServer();
    await api.manager.acquireMultipleLocks(["/a", "/b"], "bob");
    const socket = await api.socket();
    for (const path of ["/a", "/b"]) {
      const body = JSON.stringify({ resource_path: path, agent_id: `waits-for-${path}`, timeout: "1h" });
      socket.write(
        `POST /v1/locks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
    }
    await until(async () => (await api.manager.getStats()).waiters === 2);
    socket.destroy();
    await until(async () => (await api.manager.getStats()).waiters === 0);
    expect(await api.manager.getLockCount()).toBe(2);
  });
});

describe("the number of waits", () => {
  test("is bounded, and the refusal says so", async () => {
    await using api = await startTestServer({ maxWaits: 1 });
    const held = await api.manager.acquireLock("/a", "bob");
    const json = { resource_path: "/a", agent_id: "ann", timeout: "1m" };
    const first = api.post("/v1/locks", json);
    await until(async () => (await queueLength(api.manager, "/a")) === 1);
    for (const answer of [
      await api.post("/v1/locks", { ...json, agent_id: "cat" }),
      await api.get("/v1/resources/a?wait_for=free"),
    ]) {
      expect(answer.json).toMatchObject({ status: 429, code: "limit_exceeded", limit: 1, retryable: true });
      expect(answer.headers["retry-after"]).toBe("1");
    }
    expect((await api.post("/v1/locks", { ...json, timeout: 0 })).status).toBe(409);
    expect(await queueLength(api.manager, "/a")).toBe(1);
    await held.release();
    expect((await first).status).toBe(201);
  });
});
