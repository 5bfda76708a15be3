import { describe, expect, test } from "vitest";
import { queueLength, readToEnd, startTestServer, until } from "./running-server.js";

const quick = { headersTimeout: 500, requestTimeout: 800, connectionsCheckingInterval: 20 };

describe("callers that take their time (F39)", () => {
  test.each([
    ["silence", ""],
    ["half of the headers", "GET /v1/locks HTTP/1.1\r\nHost: localhost\r\n"],
    [
      "half of the body",
      'POST /v1/locks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"a":',
    ],
  ])("%s is answered with 408 and cut off", async (_, text) => {
    await using api = await startTestServer({ timeouts: quick });
    const socket = await api.socket();
    socket.write(text);
    const answer = await readToEnd(socket);
    expect(answer).toMatch(/^HTTP\/1\.1 408 .*\r\n[^]*application\/problem\+json/);
    expect(answer).toMatch(/x-request-id: [0-9a-f-]{36}/);
  });

  test("a byte now and then is no way around it", async () => {
    await using api = await startTestServer({ timeouts: quick });
    const socket = await api.socket();
    const ended = readToEnd(socket);
    const text = `GET /v1/locks HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(1000)}`;
    let sent = 0;
    const drip = setInterval(() => socket.write(text[sent++ % text.length]!), 10);
    expect(await ended).toMatch(/^HTTP\/1\.1 408 /);
    clearInterval(drip);
  });

  test("a long wait is not slow: it may last longer than any of these", async () => {
    await using api = await startTestServer({ timeouts: quick });
    const held = await api.manager.acquireLock("/a", "bob");
    const waiting = api.post("/v1/locks", { resource_path: "/a", agent_id: "ann", timeout: "1m" });
    await until(async () => (await queueLength(api.manager, "/a")) === 1);
    // Another caller is cut off meanwhile, which shows that the times have passed.
    const socket = await api.socket();
    socket.write(
      "POST /v1/locks HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\nContent-Type: application/json\r\n\r\n{",
    );
    await readToEnd(socket);
    await held.release();
    expect((await waiting).status).toBe(201);
  });

  test("connections above the limit are dropped, and others go on", async () => {
    await using api = await startTestServer({ maxConnections: 2 });
    const [first, second] = [await api.socket(), await api.socket()];
    const third = await api.socket();
    expect(await readToEnd(third)).toBe("");
    first.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    expect(await readToEnd(first)).toMatch(/^HTTP\/1\.1 200 /);
    second.destroy();
  });
});
