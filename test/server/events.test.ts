import { describe, expect, test } from "vitest";
import { createLockManager } from "../../src/create-lock-manager.js";
import { ManualClock } from "../support/manual-clock.js";
import { type EventStreamReader, readEventStream, type SentEvent } from "./event-stream-reader.js";
import { intercept } from "./intercept.js";
import { keptLog } from "./kept-log.js";
import { startTestServer, until } from "./running-server.js";

function told(events: readonly SentEvent[]): string[] {
  return events.map(({ data }) => `${data.type} ${data.resource_path}`);
}

describe("GET /v1/events", () => {
  test("tells what happens, as server-sent events whose data are described", async () => {
    await using api = await startTestServer();
    const reader = await readEventStream(api.port);
    expect(reader).toMatchObject({
      status: 200,
      headers: { "content-type": "text/event-stream", "cache-control": "no-store" },
    });
    await api.post("/v1/locks", { resource_path: "/a", agent_id: "ann", ttl: "30s", reason: "because" });
    await api.manager.forceRelease("/a", { reason: "enough", by: "root" });
    const [acquired, revoked] = await reader.until(2);
    expect(acquired).toEqual({
      id: acquired!.data.id,
      event: "acquired",
      data: {
        id: expect.any(Number),
        type: "acquired",
        at: expect.stringMatching(/Z$/),
        resource_path: "/a",
        resource_type: "a",
        lock_id: expect.stringMatching(/^\w{32}$/),
        agent_id: "ann",
        mode: "exclusive",
        scope: "resource",
        reason: "because",
        fencing_token: expect.any(Number),
        waited_ms: expect.any(Number),
        expires_at: expect.stringMatching(/Z$/),
        expires_in_ms: expect.any(Number),
      },
    });
    expect(revoked).toMatchObject({ event: "revoked", id: acquired!.id + 1, data: { by: "root" } });
    reader.close();
    await until(() => api.manager.getLockCount().then((count) => count === 0));
  });

  test("is described like every other answer, to the end of the stream", async () => {
    await using api = await startTestServer();
    const reading = api.get("/v1/events?since=7");
    await until(() => api.get("/healthz").then(({ status }) => status === 200));
    await api.server.drain();
    const { status, text } = await reading;
    expect(status).toBe(200);
    expect(text).toMatch(/^retry: 1000\n: alive\nid: \d+\n\nid: \d+\nevent: reset\ndata: \{.*\}\n\n$/);
  });

  test("tells only what was asked for: a prefix in any spelling, and types", async () => {
    await using api = await startTestServer();
    const reader = await readEventStream(api.port, "/v1/events?prefix=repo%2Fsrc/&types=acquired,expired");
    const lock = await api.manager.acquireLock("/repo/src", "ann");
    await lock.release();
    for (const path of ["/repo", "/repo/srcs", "/other", "/repo/src/a.ts"])
      await api.manager.acquireLock(path, "ann");
    expect(told(await reader.until(2))).toEqual(["acquired /repo/src", "acquired /repo/src/a.ts"]);
    reader.close();
  });

  test.each([
    ["types=stolen", {}, "types"],
    ["types=", {}, "types"],
    ["since=later", {}, "since"],
    ["prefix=/a/../b", {}, "prefix"],
    ["prefix=%ff", {}, "query"],
    ["from=1", {}, "from"],
    ["since=1&since=2", {}, "query"],
    ["", { "last-event-id": "1-2" }, "Last-Event-ID"],
  ])("refuses %s %j", async (query, headers, field) => {
    await using api = await startTestServer();
    const { json } = await api.get(`/v1/events?${query}`, { headers });
    expect(json).toMatchObject({ status: 400, code: "invalid", field });
  });

  test("is guarded like everything else", async () => {
    await using api = await startTestServer();
    const { status } = await api.get("/v1/events", { headers: { host: "evil.example" } });
    expect(status).toBe(403);
    const foreign = { origin: "https://evil.example" };
    expect((await api.get("/v1/events", { headers: foreign })).status).toBe(403);
    expect((await api.call("HEAD", "/v1/events")).status).toBe(200);
    expect((await api.call("POST", "/v1/events")).status).toBe(405);
  });
});

describe("a stream that goes on", () => {
  test.each(["since", "Last-Event-ID"])("behind an event that is remembered (%s)", async (way) => {
    await using api = await startTestServer();
    const first = await readEventStream(api.port);
    await api.manager.acquireLock("/a", "ann");
    const [seen] = await first.until(1);
    first.close();
    await api.manager.acquireLock("/b", "ann");
    await api.manager.acquireLock("/c", "ann");
    const second =
      way === "since"
        ? await readEventStream(api.port, `/v1/events?since=${seen!.id}`)
        : await readEventStream(api.port, "/v1/events?since=1", { "last-event-id": String(seen!.id) });
    await api.manager.acquireLock("/d", "ann");
    const events = await second.until(3);
    expect(told(events)).toEqual(["acquired /b", "acquired /c", "acquired /d"]);
    expect(events.map(({ id }) => id)).toEqual([seen!.id + 1, seen!.id + 2, seen!.id + 3]);
    second.close();
  });

  test("before its first event: the place to go on from comes at once", async () => {
    await using api = await startTestServer();
    const first = await readEventStream(api.port, "/v1/events?prefix=/a");
    await until(() => !Number.isNaN(first.lastId));
    first.close();
    await api.manager.acquireLock("/a", "ann");
    const second = await readEventStream(api.port, "/v1/events?prefix=/a", {
      "last-event-id": String(first.lastId),
    });
    expect(told(await second.until(1))).toEqual(["acquired /a"]);
    second.close();
  });

  test("begins with a reset when the server was restarted", async () => {
    const manager = await createLockManager({}, "memory:");
    let lastId = 0;
    {
      await using api = await startTestServer({ manager: intercept(manager, { close: async () => {} }) });
      const reader = await readEventStream(api.port);
      await manager.acquireLock("/a", "ann");
      lastId = (await reader.until(1))[0]!.id;
    }
    await using api = await startTestServer({ manager });
    const reader = await readEventStream(api.port, `/v1/events?prefix=/a/b&since=${lastId}`);
    await manager.acquireLock("/a/b/c", "ann");
    const events = await reader.until(2);
    expect(told(events)).toEqual(["reset /a/b", "acquired /a/b/c"]);
    expect(events[1]!.id).toBe(events[0]!.id + 1);
    reader.close();
  });
});

describe("a reader that does not read", () => {
  const heartbeatMs = 15_000;

  test("is cut off, and everybody else is served", async () => {
    const clock = new ManualClock();
    const log = keptLog();
    await using api = await startTestServer({ clock, logger: log.logger });
    const [slow, quick] = [await readEventStream(api.port), await readEventStream(api.port)];
    slow.pause();
    // More than the buffers of both ends hold; what is not read stays in the server's memory of events, once for all.
    const reason = "x".repeat(200);
    const path = (round: number): string => `/${"p".repeat(900)}/${round}`;
    for (let round = 0; round < 4_000; round++)
      await (await api.manager.acquireLock(path(round), "ann", { reason })).release();
    await quick.until(8_000);
    await clock.advance(heartbeatMs);
    await clock.advance(heartbeatMs);
    slow.resume();
    expect(await slow.ended).toBe(false);
    expect(slow.events.length).toBeGreaterThan(0);
    expect(slow.events.length).toBeLessThan(8_000);
    await until(() => log.lines.some((line) => line.includes('"status":499')));
    await api.manager.acquireLock("/last", "ann");
    expect(told(await quick.until(8_001)).at(-1)).toBe("acquired /last");

    const again = await readEventStream(api.port, `/v1/events?since=${slow.lastId}`);
    const missed = await again.until(8_001 - slow.events.length);
    expect(missed.map(({ id }) => id)).toEqual(quick.events.slice(slow.events.length).map(({ id }) => id));
    again.close();
    quick.close();
  });

  test("gets a sign of life when there is nothing else, and lives on it", async () => {
    const clock = new ManualClock();
    await using api = await startTestServer({ clock });
    const reader = await readEventStream(api.port, "/v1/events?types=lost");
    await until(() => reader.comments === 1);
    await api.manager.acquireLock("/a", "ann");
    const before = reader.lastId;
    for (const count of [2, 3, 4]) {
      await clock.advance(heartbeatMs);
      await until(() => reader.comments === count);
    }
    expect([reader.events.length, reader.lastId]).toEqual([0, before + 1]);
    reader.close();
  });
});

describe("streams", () => {
  test("are bounded in number, and counted out when they end", async () => {
    await using api = await startTestServer({ maxStreams: 2 });
    const first = await readEventStream(api.port);
    const second = await readEventStream(api.port);
    expect((await api.get("/v1/events")).json).toMatchObject({
      status: 429,
      code: "limit_exceeded",
      limit: 2,
    });
    first.close();
    let third: EventStreamReader;
    do third = await readEventStream(api.port);
    while (third.status === 429);
    for (const reader of [second, third]) reader.close();
  });

  test("end in order when the server shuts down, and no more begin", async () => {
    await using api = await startTestServer();
    const reader = await readEventStream(api.port);
    await api.manager.acquireLock("/a", "ann");
    await reader.until(1);
    await api.server.drain();
    expect(await reader.ended).toBe(true);
    await expect(readEventStream(api.port)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  test("end when the lock manager is closed", async () => {
    await using api = await startTestServer();
    const reader = await readEventStream(api.port);
    await api.manager.close();
    expect(await reader.ended).toBe(true);
    expect((await api.get("/v1/events")).json).toMatchObject({ status: 503, code: "closed" });
  });
});
