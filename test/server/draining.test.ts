import { Agent, request } from "node:http";
import { describe, expect, test } from "vitest";
import { createLockManager } from "../../src/create-lock-manager.js";
import { intercept, latch } from "./intercept.js";
import { queueLength, readToEnd, startTestServer, until } from "./running-server.js";

describe("draining", () => {
  test("answers whoever waits, and takes them out of the queue", async () => {
    await using api = await startTestServer();
    await api.manager.acquireLock("/a", "bob");
    const json = { resource_path: "/a", agent_id: "ann", timeout: "1h" };
    const waits = [
      api.post("/v1/locks", json),
      api.post("/v1/locks", { ...json, agent_id: "cat" }, { "idempotency-key": "k1" }),
      api.get("/v1/resources/a?wait_for=free&timeout=1h"),
    ];
    await until(async () => (await queueLength(api.manager, "/a")) === 2);
    await api.get("/healthz");
    await api.server.drain();
    for (const wait of waits) {
      const { json: problem, headers } = await wait;
      expect(problem).toMatchObject({ status: 503, code: "closed", retryable: true });
      expect(headers).toMatchObject({ "retry-after": "1", connection: "close" });
    }
    expect(await queueLength(api.manager, "/a")).toBe(0);
    await expect(api.get("/healthz")).rejects.toMatchObject({ code: "ECONNREFUSED" });
    // The manager is not the server's to close.
    expect(await api.manager.getLockCount()).toBe(1);
  });

  test("finishes what runs, says that it is not ready, and takes no more waits", async () => {
    const manager = await createLockManager({}, "memory:");
    const [started, finish] = [latch(), latch()];
    const slow = intercept(manager, {
      getStats: async () => {
        started.open();
        await finish.opened;
        return manager.getStats();
      },
    });
    await using api = await startTestServer({ manager: slow });
    const running = api.get("/v1/stats");
    await started.opened;
    const drained = api.server.drain();
    expect((await api.get("/readyz")).json).toMatchObject({ status: 503, code: "closed" });
    expect((await api.get("/healthz")).status).toBe(200);
    const json = { resource_path: "/a", agent_id: "ann" };
    expect((await api.post("/v1/locks", { ...json, timeout: "1s" })).json).toMatchObject({
      status: 503,
      code: "closed",
    });
    expect((await api.get("/v1/resources/a?wait_for=free")).json).toMatchObject({
      status: 503,
      code: "closed",
    });
    expect((await api.post("/v1/locks", json)).status).toBe(201);
    finish.open();
    expect((await running).status).toBe(200);
    await drained;
    await api.server.drain();
    await manager.close();
  });

  test("is bounded: at the deadline what still runs is cut off", async () => {
    const manager = await createLockManager({}, "memory:");
    const started = latch();
    const stuck = intercept(manager, {
      getStats: () => {
        started.open();
        return new Promise(() => {});
      },
    });
    await using api = await startTestServer({ manager: stuck, drainDeadlineMs: 50 });
    const running = api.get("/v1/stats");
    running.catch(() => {});
    await started.opened;
    await api.server.drain();
    await expect(running).rejects.toMatchObject({ code: "ECONNRESET" });
  });

  test("does not wait for idle connections", async () => {
    await using api = await startTestServer({ drainDeadlineMs: 60_000 });
    const agent = new Agent({ keepAlive: true });
    await new Promise<void>((resolve, reject) => {
      request({ agent, port: api.port, host: "127.0.0.1", path: "/healthz" }, (response) => {
        response.resume().on("end", resolve);
      })
        .on("error", reject)
        .end();
    });
    const silent = await api.socket();
    const ended = readToEnd(silent);
    await api.get("/healthz");
    silent.end();
    await ended;
    await api.server.drain();
    await expect(api.socket()).rejects.toMatchObject({ code: "ECONNREFUSED" });
    agent.destroy();
  });
});
