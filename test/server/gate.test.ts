import { describe, expect, test } from "vitest";
import { readToEnd, startTestServer } from "./running-server.js";

describe("Host", () => {
  test.each([
    "127.0.0.1",
    "localhost:1",
    "LOCALHOST:7420",
    "[::1]:7420",
    "[::1]",
    "locks.example",
    "locks.example:443",
  ])("%s may ask", async (host) => {
    await using api = await startTestServer({ allowedHosts: ["Locks.example"] });
    expect((await api.get("/healthz", { headers: { host } })).status).toBe(200);
  });

  test.each([
    "evil.example",
    "127.0.0.1.evil.example",
    "localhost.",
    "localhost@evil.example",
    "127.0.0.1:7420:1",
    "::1",
    "[::1",
    "127.1",
    "0x7f.1",
    "localhost/..",
    "a b",
  ])("%j may not, whatever it asks for", async (host) => {
    await using api = await startTestServer();
    for (const path of ["/v1/locks", "/", "/docs", "/nope", "/metrics"]) {
      const answer = await api.get(path, { headers: { host } });
      expect(answer.json).toMatchObject({ status: 403, code: "invalid", field: "Host" });
    }
    const answer = await api.post("/v1/locks", { resource_path: "/a", agent_id: "ann" }, { host });
    expect(answer.status).toBe(403);
    expect(await api.manager.getLockCount()).toBe(0);
  });

  test("must be there, once", async () => {
    await using api = await startTestServer();
    for (const hosts of ["", "Host:\r\n", "Host: localhost\r\nHost: localhost\r\n"]) {
      const socket = await api.socket();
      socket.write(`GET /v1/locks HTTP/1.1\r\n${hosts}\r\n`);
      expect(await readToEnd(socket)).toMatch(/^HTTP\/1\.1 403 .*\r\n[^]*x-request-id: /);
    }
  });
});

describe("Origin", () => {
  test("must be this server's, where there is one", async () => {
    await using api = await startTestServer();
    const status = async (origin: string, host = `localhost:${api.port}`): Promise<number> =>
      (await api.get("/v1/locks", { headers: { host, origin } })).status;
    expect(await status(`http://localhost:${api.port}`)).toBe(200);
    expect(await status(`https://localhost:${api.port}`)).toBe(200);
    expect(await status("http://localhost", "localhost")).toBe(200);
    expect(await status("https://localhost", "localhost:443")).toBe(200);
    for (const origin of [
      "http://evil.example",
      `http://127.0.0.1:${api.port}`,
      `http://localhost:${api.port + 1}`,
      "http://localhost",
      "null",
      "",
      `http://localhost:${api.port}.evil.example`,
      `http://localhost:${api.port}/`,
      `file://localhost:${api.port}`,
    ])
      expect(await status(origin), `${origin}`).toBe(403);
  });

  test("another site can neither send JSON nor learn that it may", async () => {
    await using api = await startTestServer();
    const preflight = await api.call("OPTIONS", "/v1/locks", {
      headers: { origin: "http://evil.example", "access-control-request-method": "POST" },
    });
    expect(preflight.status).toBe(403);
    const simple = await api.call("POST", "/v1/locks", {
      body: '{"resource_path":"/a","agent_id":"ann"}',
      headers: { "content-type": "text/plain" },
    });
    expect(simple.status).toBe(415);
  });
});

describe("request targets", () => {
  test.each([
    "/v1/resources/a/../b",
    "/v1/resources/a/./b",
    "/v1/resources/..",
    "/v1/resources/%2e%2E/stats",
    "/v1/resources/a/.%2e/b",
    "/v1\\locks",
    "/v1/locks#x",
    "http://localhost/v1/locks",
    "http://evil.example/v1/locks",
    "*",
    "v1/locks",
    "/v1/resources/\u00e9",
  ])("%s is refused before any routing", async (target) => {
    await using api = await startTestServer();
    const socket = await api.socket();
    socket.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    const answer = await readToEnd(socket);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toMatch(/application\/problem\+json/);
  });
});
