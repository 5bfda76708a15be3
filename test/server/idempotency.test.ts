import { describe, expect, test } from "vitest";
import { queueLength, startTestServer, until } from "./running-server.js";

const claim = { resource_path: "/a", agent_id: "ann", ttl: "1m" };

describe("Idempotency-Key", () => {
  test("a repeated request gets the same lock, with 200", async () => {
    await using api = await startTestServer();
    const first = await api.post("/v1/locks", claim, { "idempotency-key": "k1" });
    const second = await api.post("/v1/locks", claim, { "idempotency-key": "k1" });
    expect([first.status, second.status]).toEqual([201, 200]);
    expect(second.json.locks[0]!.lock_id).toBe(first.json.locks[0]!.lock_id);
    expect(second.json.locks[0]!.expires_at).toBe(first.json.locks[0]!.expires_at);
  });

  test("spelling does not matter, meaning does", async () => {
    await using api = await startTestServer();
    await api.post("/v1/locks", claim, { "idempotency-key": "k1" });
    const spelled = await api.call("POST", "/v1/locks", {
      body: '{ "ttl":"1m",\n "agent_id": "ann", "resource_path": "/a" }',
      headers: { "content-type": "application/json; charset=utf-8", "idempotency-key": "k1" },
    });
    expect(spelled.status).toBe(200);
    const other = await api.post("/v1/locks", { ...claim, resource_path: "/b" }, { "idempotency-key": "k1" });
    expect(other.json).toMatchObject({ status: 422, code: "invalid", field: "Idempotency-Key" });
    expect(await api.manager.getLock("/b")).toBeUndefined();
  });

  test("keys of two agents are two keys", async () => {
    await using api = await startTestServer();
    await api.post("/v1/locks", claim, { "idempotency-key": "k1" });
    const other = await api.post(
      "/v1/locks",
      { resource_path: "/b", agent_id: "bob" },
      { "idempotency-key": "k1" },
    );
    expect(other.status).toBe(201);
  });

  test("a repeat of a request that still waits joins it", async () => {
    await using api = await startTestServer();
    const held = await api.manager.acquireLock("/a", "bob");
    const asked = { ...claim, timeout: "30s" };
    const first = api.post("/v1/locks", asked, { "idempotency-key": "k1" });
    await until(async () => (await queueLength(api.manager, "/a")) === 1);
    const second = api.post("/v1/locks", asked, { "idempotency-key": "k1" });
    await api.get("/healthz");
    expect(await queueLength(api.manager, "/a")).toBe(1);
    await held.release();
    const answers = await Promise.all([first, second]);
    expect(answers.map((answer) => answer.status).toSorted((a, b) => a - b)).toEqual([200, 201]);
    expect(new Set(answers.map((answer) => answer.json.locks[0]!.lock_id)).size).toBe(1);
  });

  test("whoever joined keeps the place in the queue when the first caller hangs up", async () => {
    await using api = await startTestServer();
    const held = await api.manager.acquireLock("/a", "bob");
    const asked = { ...claim, timeout: "30s" };
    const gone = new AbortController();
    const first = api.call("POST", "/v1/locks", {
      json: asked,
      headers: { "idempotency-key": "k1" },
      signal: gone.signal,
    });
    await until(async () => (await queueLength(api.manager, "/a")) === 1);
    const ticket = (await api.manager.getResource("/a")).waiters[0]!.lockId;
    const second = api.post("/v1/locks", asked, { "idempotency-key": "k1" });
    // The answer to a later request shows that the earlier one is in.
    await api.get("/healthz");
    gone.abort();
    await expect(first).rejects.toMatchObject({ code: "ABORT_ERR" });
    await api.get("/healthz");
    await held.release();
    const answer = await second;
    expect(answer.status).toBe(200);
    expect(answer.json.locks[0]!.lock_id).toBe(ticket);
  });

  test("a refused request may be made again with its key", async () => {
    await using api = await startTestServer();
    const held = await api.manager.acquireLock("/a", "bob");
    expect((await api.post("/v1/locks", claim, { "idempotency-key": "k1" })).status).toBe(409);
    await held.release();
    expect((await api.post("/v1/locks", claim, { "idempotency-key": "k1" })).status).toBe(201);
  });

  test("a lock that has ended since is not told of as if it were held", async () => {
    await using api = await startTestServer();
    const first = await api.post("/v1/locks", claim, { "idempotency-key": "k1" });
    const { lock_id } = first.json.locks[0]!;
    await api.post("/v1/locks/release", { agent_id: "ann", locks: [{ resource_path: "/a", lock_id }] });
    const again = await api.post("/v1/locks", claim, { "idempotency-key": "k1" });
    expect(again.json).toMatchObject({ status: 410, code: "lost", lock_id });
    expect(await api.manager.getLock("/a")).toBeUndefined();
  });

  test("refuses a key that is none", async () => {
    await using api = await startTestServer();
    for (const key of ["", "two words", "x".repeat(256), "ä"]) {
      const answer = await api.call("POST", "/v1/locks", {
        json: claim,
        headers: { "idempotency-key": key },
      });
      expect(answer.json, `${key}`).toMatchObject({ status: 400, code: "invalid", field: "Idempotency-Key" });
    }
  });
});

describe("calling off an acquire by its key", () => {
  test("releases what it got", async () => {
    await using api = await startTestServer();
    await api.post("/v1/locks", claim, { "idempotency-key": "k1" });
    const answer = await api.post("/v1/locks/release", { agent_id: "ann", acquired_with: "k1" });
    expect(answer.json).toMatchObject({ released: [true], locks: [{ resource_path: "/a" }] });
    expect(await api.manager.getLock("/a")).toBeUndefined();
  });

  test("takes it out of the queue, and tells whoever waits", async () => {
    await using api = await startTestServer();
    await api.manager.acquireLock("/a", "bob");
    const waiting = api.post("/v1/locks", { ...claim, timeout: "30s" }, { "idempotency-key": "k1" });
    await until(async () => (await queueLength(api.manager, "/a")) === 1);
    const answer = await api.post("/v1/locks/release", { agent_id: "ann", acquired_with: "k1" });
    expect(answer.json).toMatchObject({ released: [], locks: [] });
    expect((await waiting).json).toMatchObject({ status: 499, code: "aborted" });
    expect(await queueLength(api.manager, "/a")).toBe(0);
  });

  test("also when it arrives before the acquire does", async () => {
    await using api = await startTestServer();
    await api.post("/v1/locks/release", { agent_id: "ann", acquired_with: "k1" });
    const late = await api.post("/v1/locks", claim, { "idempotency-key": "k1" });
    expect(late.json).toMatchObject({ status: 499, code: "aborted" });
    expect(await api.manager.getLock("/a")).toBeUndefined();
  });
});
