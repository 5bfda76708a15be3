import { describe, expect, test } from "vitest";
import { startTestServer } from "./running-server.js";

describe("POST /v1/locks/extend", () => {
  test("sets the expiry to now and the ttl", async () => {
    await using api = await startTestServer();
    const { lockId, fencingToken } = await api.manager.acquireLock("/a", "ann", { ttl: "10s" });
    const locks = [{ resource_path: "/a", lock_id: lockId }];
    const answer = await api.post("/v1/locks/extend", { agent_id: "ann", ttl: "5m", locks });
    expect(answer.status).toBe(200);
    expect(answer.json.locks[0]).toMatchObject({
      lock_id: lockId,
      ttl_ms: 300_000,
      fencing_token: fencingToken,
    });
    expect(answer.json.locks[0]!.expires_in_ms).toBeGreaterThan(290_000);
  });

  test("refuses a lock that is no longer in force, and extends the others", async () => {
    await using api = await startTestServer();
    const kept = await api.manager.acquireLock("/kept", "ann", { ttl: "10s" });
    const gone = await api.manager.acquireLock("/gone", "ann", { ttl: "10s" });
    await gone.release();
    const answer = await api.post("/v1/locks/extend", {
      agent_id: "ann",
      ttl: "5m",
      locks: [
        { resource_path: "/gone", lock_id: gone.lockId },
        { resource_path: "/kept", lock_id: kept.lockId },
      ],
    });
    expect(answer.json).toMatchObject({
      status: 410,
      code: "lost",
      resource_path: "/gone",
      retryable: false,
    });
    expect((await api.manager.getLock("/kept"))?.ttlMs).toBe(300_000);
  });

  test("refuses another agent's lock", async () => {
    await using api = await startTestServer();
    const { lockId } = await api.manager.acquireLock("/a", "ann");
    const answer = await api.post("/v1/locks/extend", {
      agent_id: "bob",
      locks: [{ resource_path: "/a", lock_id: lockId }],
    });
    expect(answer.json).toMatchObject({ status: 403, code: "not_holder" });
  });
});

describe("POST /v1/locks/release", () => {
  test("gives one boolean for each lock", async () => {
    await using api = await startTestServer();
    const { lockId } = await api.manager.acquireLock("/a", "ann");
    const locks = [
      { resource_path: "/a", lock_id: lockId },
      { resource_path: "/b", lock_id: "no-such-lock" },
    ];
    const answer = await api.post("/v1/locks/release", { agent_id: "ann", locks });
    expect(answer.json).toEqual({ released: [true, false] });
    expect(await api.manager.getLockCount()).toBe(0);
  });

  test("refuses another agent's lock", async () => {
    await using api = await startTestServer();
    const { lockId } = await api.manager.acquireLock("/a", "ann");
    const locks = [{ resource_path: "/a", lock_id: lockId }];
    const answer = await api.post("/v1/locks/release", { agent_id: "bob", locks });
    expect(answer.json).toMatchObject({ status: 403, code: "not_holder" });
    expect(await api.manager.getLockCount()).toBe(1);
  });

  test("releases all of an agent and nothing else", async () => {
    await using api = await startTestServer();
    await api.manager.acquireMultipleLocks(["/a", "/b"], "ann");
    await api.manager.acquireLock("/c", "bob");
    const answer = await api.post("/v1/locks/release", { all: true }, { "x-agent-id": "ann" });
    expect(answer.json.released).toEqual([true, true]);
    expect(answer.json.locks.map((lock) => lock.resource_path).toSorted()).toEqual(["/a", "/b"]);
    expect(await api.manager.getLockCount()).toBe(1);
  });

  test("ends a lock by force, for a reason, and tells which", async () => {
    await using api = await startTestServer();
    const held = await api.manager.acquireLock("/a", "ann");
    const answer = await api.post("/v1/locks/release", {
      agent_id: "operator",
      force: true,
      reason: "its machine is gone",
      locks: [{ resource_path: "/a" }, { resource_path: "/free" }],
    });
    expect(answer.json).toMatchObject({
      released: [true, false],
      locks: [{ lock_id: held.lockId, agent_id: "ann" }],
    });
    expect(held.signal.aborted).toBe(true);
  });

  test.each([
    ["no way at all", {}],
    ["two ways", { all: true, locks: [] }],
    ["all by force", { all: true, force: true, reason: "why" }],
    ["force without a reason", { locks: [{ resource_path: "/a" }], force: true }],
    ["a reason without force", { locks: [{ resource_path: "/a", lock_id: "x" }], reason: "why" }],
    ["a name without its id", { locks: [{ resource_path: "/a" }] }],
    ["all: false", { all: false }],
  ])("refuses %s", async (_, body) => {
    await using api = await startTestServer();
    await api.manager.acquireLock("/a", "ann");
    const answer = await api.post("/v1/locks/release", { agent_id: "ann", ...body });
    expect(answer.json).toMatchObject({ status: 400, code: "invalid" });
    expect(await api.manager.getLockCount()).toBe(1);
  });
});

describe("DELETE /v1/agents/{agent_id}/locks", () => {
  test("ends everything the agent holds, for a reason", async () => {
    await using api = await startTestServer();
    await api.manager.acquireMultipleLocks(["/a", "/b"], "team/ann");
    const path = "/v1/agents/team%2Fann/locks";
    const refused = await api.call("DELETE", `${path}?force=true`);
    expect(refused.json).toMatchObject({ status: 400, field: "reason" });
    const answer = await api.call("DELETE", `${path}?force=true&reason=its+machine+is%20gone`);
    expect(answer.json.released).toEqual([true, true]);
    expect(await api.manager.getLockCount()).toBe(0);
  });

  test("needs force, unless it is the agent itself", async () => {
    await using api = await startTestServer();
    await api.manager.acquireLock("/a", "ann");
    const path = "/v1/agents/ann/locks?reason=done";
    expect((await api.call("DELETE", path)).json).toMatchObject({ status: 403, code: "not_holder" });
    const other = await api.call("DELETE", path, { headers: { "x-agent-id": "bob" } });
    expect(other.json).toMatchObject({ status: 403, code: "not_holder" });
    expect((await api.call("DELETE", path, { headers: { "x-agent-id": "ann" } })).json.released).toEqual([
      true,
    ]);
  });
});
