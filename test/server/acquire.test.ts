import { describe, expect, test } from "vitest";
import { queueLength, startTestServer, until } from "./running-server.js";

describe("POST /v1/locks", () => {
  test("grants a free path and says everything about the lock", async () => {
    await using api = await startTestServer();
    const answer = await api.post("/v1/locks", {
      resource_path: "repo/src/a.ts/",
      agent_id: "ann",
      mode: "shared",
      scope: "tree",
      ttl: "30s",
      reason: "rename User.id",
      metadata: { host: "dev-1" },
    });
    expect(answer.status).toBe(201);
    const lock = answer.json.locks[0]!;
    expect(lock).toMatchObject({
      resource_path: "/repo/src/a.ts",
      agent_id: "ann",
      mode: "shared",
      scope: "tree",
      ttl_ms: 30_000,
      reason: "rename User.id",
      metadata: { host: "dev-1" },
    });
    expect(Date.parse(lock.expires_at) - Date.parse(lock.acquired_at)).toBe(30_000);
    expect(lock.expires_in_ms).toBeGreaterThan(20_000);
    expect(lock.expires_in_ms).toBeLessThanOrEqual(30_000);
    expect(await api.manager.getLock("/repo/src/a.ts")).toMatchObject({
      lockId: lock.lock_id,
      agentId: "ann",
    });
  });

  test("takes several paths at one moment, in the order asked, duplicates once", async () => {
    await using api = await startTestServer();
    const answer = await api.post("/v1/locks", { resource_paths: ["/b", "/a", "b"], agent_id: "ann" });
    expect(answer.status).toBe(201);
    expect(answer.json.locks.map((lock) => lock.resource_path)).toEqual(["/b", "/a"]);
  });

  test("an empty list gives an empty list", async () => {
    await using api = await startTestServer();
    expect((await api.post("/v1/locks", { resource_paths: [], agent_id: "ann" })).json).toEqual({
      locks: [],
    });
  });

  test("takes all or nothing", async () => {
    await using api = await startTestServer();
    await api.manager.acquireLock("/b", "bob");
    const answer = await api.post("/v1/locks", { resource_paths: ["/a", "/b"], agent_id: "ann" });
    expect(answer.status).toBe(409);
    expect(await api.manager.getLock("/a")).toBeUndefined();
  });

  test("refuses a held path at once: what, who, why, until when, what next", async () => {
    await using api = await startTestServer();
    await api.manager.acquireLock("/deploy", "bob", { ttl: "20s", reason: "release 1.8.0" });
    const answer = await api.post("/v1/locks", { resource_path: "/deploy", agent_id: "ann" });
    expect(answer.status).toBe(409);
    expect(answer.json).toMatchObject({
      type: "urn:engram-lock:problem:held",
      code: "held",
      status: 409,
      retryable: true,
      resource_path: "/deploy",
      agent_id: "ann",
      conflicts: [{ resource_path: "/deploy", agent_id: "bob", reason: "release 1.8.0", standing: "holder" }],
    });
    for (const fact of ["/deploy", "bob", "release 1.8.0", answer.json.conflicts[0]!.expires_at])
      expect(answer.json.detail).toContain(fact);
    expect(answer.json.next.length).toBeGreaterThan(0);
    expect(answer.json.conflicts[0]!.expires_in_ms).toBeGreaterThan(0);
    expect(Number(answer.headers["retry-after"])).toBeGreaterThanOrEqual(19);
    expect(Number(answer.headers["retry-after"])).toBeLessThanOrEqual(20);
    expect(answer.json.request_id).toBe(answer.headers["x-request-id"]);
  });

  test("waits in the queue and is granted when its turn comes", async () => {
    await using api = await startTestServer();
    const held = await api.manager.acquireLock("/a", "bob");
    const waiting = api.post("/v1/locks", { resource_path: "/a", agent_id: "ann", timeout: "30s" });
    await until(async () => (await queueLength(api.manager, "/a")) === 1);
    await held.release();
    const answer = await waiting;
    expect(answer.status).toBe(201);
    expect(answer.json.locks[0]!.fencing_token).toBeGreaterThan(held.fencingToken);
  });

  test("a wait that times out is refused as held, and leaves the queue", async () => {
    await using api = await startTestServer();
    await api.manager.acquireLock("/a", "bob");
    const answer = await api.post("/v1/locks", { resource_path: "/a", agent_id: "ann", timeout_ms: 20 });
    expect(answer.status).toBe(409);
    expect(answer.json.code).toBe("held");
    expect(answer.json.waited_ms).toBeGreaterThanOrEqual(20);
    expect(await queueLength(api.manager, "/a")).toBe(0);
  });

  test("refuses what goes over the agent's limit, and names its oldest locks", async () => {
    await using api = await startTestServer({ config: { maxLocksPerAgent: 1 } });
    await api.manager.acquireLock("/old", "ann");
    const answer = await api.post("/v1/locks", { resource_path: "/new", agent_id: "ann" });
    expect(answer.status).toBe(409);
    expect(answer.json).toMatchObject({
      code: "limit_exceeded",
      limit: 1,
      oldest_locks: [{ resource_path: "/old" }],
    });
  });

  test("refuses to wait when that would close a cycle, and shows it", async () => {
    await using api = await startTestServer();
    await api.manager.acquireLock("/a", "ann");
    await api.manager.acquireLock("/b", "bob");
    const waiting = api.post("/v1/locks", { resource_path: "/b", agent_id: "ann", timeout: "30s" });
    await until(async () => (await queueLength(api.manager, "/b")) === 1);
    const answer = await api.post("/v1/locks", { resource_path: "/a", agent_id: "bob", timeout: "30s" });
    expect(answer.status).toBe(409);
    expect(answer.json.code).toBe("deadlock");
    expect(answer.json.cycle?.length).toBeGreaterThanOrEqual(2);
    await api.post("/v1/locks/release", { agent_id: "bob", all: true });
    expect((await waiting).status).toBe(201);
  });

  test("takes the agent from the header, and refuses two that differ or none", async () => {
    await using api = await startTestServer();
    const fromHeader = await api.post("/v1/locks", { resource_path: "/a" }, { "x-agent-id": "ann" });
    expect(fromHeader.json.locks[0]!.agent_id).toBe("ann");
    const both = await api.post(
      "/v1/locks",
      { resource_path: "/a", agent_id: "ann" },
      { "x-agent-id": "ann" },
    );
    expect(both.status).toBe(201);
    const differ = await api.post(
      "/v1/locks",
      { resource_path: "/a", agent_id: "bob" },
      { "x-agent-id": "ann" },
    );
    expect(differ.json).toMatchObject({ status: 400, code: "invalid", field: "agent_id" });
    const none = await api.post("/v1/locks", { resource_path: "/a" });
    expect(none.json).toMatchObject({ status: 400, code: "invalid", field: "agent_id" });
    const twice = await api.call("POST", "/v1/locks", {
      json: { resource_path: "/a" },
      headers: { "x-agent-id": ["ann", "bob"] },
    });
    expect(twice.json).toMatchObject({ status: 400, field: "X-Agent-ID" });
  });

  test("the holder that acquires again gets the same lock", async () => {
    await using api = await startTestServer();
    const first = await api.post("/v1/locks", { resource_path: "/a", agent_id: "ann", ttl: 5_000 });
    const second = await api.post("/v1/locks", { resource_path: "/a", agent_id: "ann", ttl_ms: 60_000 });
    expect(second.status).toBe(201);
    expect(second.json.locks[0]!.lock_id).toBe(first.json.locks[0]!.lock_id);
    expect(second.json.locks[0]!.expires_in_ms).toBeGreaterThan(first.json.locks[0]!.expires_in_ms);
  });
});
