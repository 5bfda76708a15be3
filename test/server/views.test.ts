import { describe, expect, test } from "vitest";
import { queueLength, startTestServer, until } from "./running-server.js";

describe("GET /v1/locks", () => {
  test("lists in pages, without losing or repeating any", async () => {
    await using api = await startTestServer();
    const paths = Array.from({ length: 25 }, (_, index) => `/p/${String(index).padStart(2, "0")}`);
    for (const path of paths) await api.manager.acquireLock(path, "ann");
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await api.get(
        `/v1/locks?limit=10${cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`}`,
      );
      expect(page.json.locks.length).toBeLessThanOrEqual(10);
      seen.push(...page.json.locks.map((lock) => lock.resource_path));
      cursor = page.json.next_cursor;
    } while (cursor !== null);
    expect(seen).toEqual(paths);
  });

  test("lists at most so many locks, also when many stand on one path", async () => {
    await using api = await startTestServer();
    const agents = ["ann", "bob", "cat"];
    for (const agent of agents) await api.manager.acquireLock("/plan", agent, { mode: "shared" });
    const seen: string[] = [];
    let query = "";
    for (const _ of agents) {
      const page = (await api.get(`/v1/locks?limit=1${query}`)).json;
      expect(page.locks).toHaveLength(1);
      seen.push(...page.locks.map((lock) => lock.agent_id));
      query = `&cursor=${page.next_cursor}`;
    }
    expect(seen).toEqual(agents);
    expect(query).toBe("&cursor=null");
  });

  test("says what a cursor is when it is given something else", async () => {
    await using api = await startTestServer();
    const refused = (await api.get("/v1/locks?cursor=/plan")).json;
    expect(refused).toMatchObject({
      status: 400,
      code: "invalid",
      detail: expect.stringContaining("cursor"),
    });
  });

  test("filters", async () => {
    await using api = await startTestServer();
    await api.manager.acquireLock("/repo/a", "ann", { ttl: "1h" });
    await api.manager.acquireLock("/repo/b", "bob", { ttl: "10s", mode: "shared" });
    await api.manager.acquireLock("/build/c", "bob", { ttl: "1h" });
    const list = async (query: string): Promise<string[]> =>
      (await api.get(`/v1/locks?${query}`)).json.locks.map((lock) => lock.resource_path);
    expect(await list("prefix=/repo")).toEqual(["/repo/a", "/repo/b"]);
    expect(await list("agent_id=bob")).toEqual(["/build/c", "/repo/b"]);
    expect(await list("resource_type=build")).toEqual(["/build/c"]);
    expect(await list("mode=shared")).toEqual(["/repo/b"]);
    expect(await list("expiring_within=1m")).toEqual(["/repo/b"]);
    expect(await list("expiring_within=60000&agent_id=ann")).toEqual([]);
  });

  test.each([
    "limit=0",
    "limit=1001",
    "limit=x",
    "mode=both",
    "colour=red",
    "limit=1&limit=2",
    "prefix=%ff",
    "expiring_within=soon",
  ])("refuses ?%s", async (query) => {
    await using api = await startTestServer();
    expect((await api.get(`/v1/locks?${query}`)).json).toMatchObject({ status: 400, code: "invalid" });
  });
});

describe("GET /v1/resources/{path...}", () => {
  test("shows holders, trees above, and the queue", async () => {
    await using api = await startTestServer();
    const held = await api.manager.acquireLock("/repo", "ann", { scope: "tree" });
    const waiting = api.post("/v1/locks", { resource_path: "/repo/src", agent_id: "bob", timeout: "1m" });
    await until(async () => (await queueLength(api.manager, "/repo/src")) === 1);
    const state = (await api.get("/v1/resources/repo/src")).json;
    expect(state).toMatchObject({
      resource_path: "/repo/src",
      held: true,
      fencing_token: null,
      holders: [],
      covered_by: [{ resource_path: "/repo", agent_id: "ann" }],
      waiters: [{ agent_id: "bob" }],
      queue_length: 1,
    });
    expect(state.waiters[0]!.gives_up_in_ms).toBeGreaterThan(0);
    expect((await api.get("/v1/resources/repo")).json).toMatchObject({
      held: true,
      fencing_token: held.fencingToken,
    });
    await held.release();
    expect((await waiting).status).toBe(201);
  });

  test("decodes the path exactly once, and has one name for all its spellings", async () => {
    await using api = await startTestServer();
    const pathOf = async (raw: string): Promise<string> =>
      (await api.get(`/v1/resources/${raw}`)).json.resource_path;
    for (const raw of ["a/b", "a%2Fb", "%2Fa%2fb", "/a/b", "a/b/", "a%2Fb%2F"])
      expect(await pathOf(raw), `${raw}`).toBe("/a/b");
    expect(await pathOf("50%25")).toBe("/50%");
    expect(await pathOf("a%252Fb")).toBe("/a%2Fb");
    expect(await pathOf("stra%C3%9Fe%20%231%3F")).toBe("/straße #1?");
    expect(await pathOf("e%CC%81")).toBe("/é");
    expect(await pathOf("")).toBe("/");
    expect(await pathOf("%2F")).toBe("/");
  });

  test("with wait_for=free answers at once when it is free, and after the time when it is not", async () => {
    await using api = await startTestServer();
    expect((await api.get("/v1/resources/a?wait_for=free")).json.held).toBe(false);
    await api.manager.acquireLock("/a", "ann");
    expect((await api.get("/v1/resources/a?wait_for=free&timeout=20ms")).json.held).toBe(true);
  });

  test("with wait_for=free answers as soon as a lock on it, or a tree above it, ends", async () => {
    await using api = await startTestServer();
    for (const [path, scope] of [
      ["/a/b", "resource"],
      ["/a", "tree"],
      ["/", "tree"],
    ] as const) {
      const held = await api.manager.acquireLock(path, "ann", { scope });
      const watching = api.get("/v1/resources/a/b?wait_for=free&timeout=30s");
      await api.get("/healthz");
      const began = performance.now();
      await held.release();
      expect((await watching).json).toMatchObject({ held: false });
      // By its event; looking now and then would take a second.
      expect(performance.now() - began).toBeLessThan(900);
    }
  });

  test("with wait_for=free notices an expiry", async () => {
    await using api = await startTestServer();
    await api.manager.acquireLock("/a", "ann", { ttl: 100 });
    expect((await api.get("/v1/resources/a?wait_for=free&timeout=30s")).json.held).toBe(false);
  });

  test("with wait_for=free goes on waiting when the next in the queue takes over", async () => {
    await using api = await startTestServer();
    const first = await api.manager.acquireLock("/a", "ann");
    const next = api.manager.acquireLock("/a", "bob", { timeout: "30s" });
    const watching = api.get("/v1/resources/a?wait_for=free&timeout=30s");
    await api.get("/healthz");
    await first.release();
    const second = await next;
    let answered = false;
    const answer = watching.then((state) => {
      answered = true;
      return state;
    });
    await api.get("/healthz");
    expect(answered).toBe(false);
    await second.release();
    expect((await answer).json.held).toBe(false);
  });
});

describe("other views", () => {
  test("GET /v1/agents/{agent_id} shows what it holds and waits for", async () => {
    await using api = await startTestServer();
    await api.manager.acquireLock("/a", "x/y ü");
    const state = (await api.get(`/v1/agents/${encodeURIComponent("x/y ü")}`)).json;
    expect(state).toMatchObject({
      agent_id: "x/y ü",
      locks: [{ resource_path: "/a" }],
      waiting: [],
      limit: 100,
    });
    expect((await api.get("/v1/agents/nobody")).json).toMatchObject({ locks: [], waiting: [] });
  });

  test("POST /v1/locks/check sorts paths into mine, theirs and free", async () => {
    await using api = await startTestServer();
    await api.manager.acquireLock("/mine", "ann");
    await api.manager.acquireLock("/theirs", "bob", { reason: "tests run" });
    const answer = await api.post("/v1/locks/check", {
      agent_id: "ann",
      resource_paths: ["/mine", "/theirs", "/free"],
    });
    expect(answer.json).toMatchObject({
      mine: [{ resource_path: "/mine" }],
      theirs: [{ resource_path: "/theirs", conflicts: [{ agent_id: "bob", reason: "tests run" }] }],
      free: ["/free"],
    });
  });

  test("GET /v1/stats counts", async () => {
    await using api = await startTestServer();
    await api.manager.acquireLock("/a", "ann");
    const waiting = new AbortController();
    const wait = api.manager.acquireLock("/a", "bob", { timeout: "1m", signal: waiting.signal });
    await until(async () => (await queueLength(api.manager, "/a")) === 1);
    expect((await api.get("/v1/stats")).json).toMatchObject({ locks: 1, waiters: 1, agents: 2 });
    waiting.abort();
    await expect(wait).rejects.toMatchObject({ code: "aborted" });
  });

  test("store time and duration are told with every answer of the API", async () => {
    await using api = await startTestServer();
    const { headers } = await api.get("/v1/stats");
    expect(headers["x-store-time"]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(headers["server-timing"]).toMatch(/^total;dur=\d+\.\d$/);
    expect(headers["cache-control"]).toBe("no-store");
  });
});
