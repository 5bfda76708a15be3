import { describe, expect, test } from "vitest";
import { operations } from "./api-check.js";
import { startTestServer } from "./running-server.js";

describe("plain pages", () => {
  test("/healthz and /readyz say yes", async () => {
    await using api = await startTestServer();
    expect(await api.get("/healthz")).toMatchObject({ status: 200, text: "alive\n" });
    expect(await api.get("/readyz")).toMatchObject({ status: 200, text: "ready\n" });
  });

  test("/readyz names the check that fails", async () => {
    await using api = await startTestServer();
    await api.manager.close();
    const answer = await api.get("/readyz");
    expect(answer.json).toMatchObject({ status: 503, code: "store_unavailable" });
    expect(answer.json.detail).toContain("store");
    expect((await api.get("/healthz")).status).toBe(200);
  });

  test("/metrics is Prometheus text", async () => {
    await using api = await startTestServer();
    await api.manager.acquireLock("/a", "ann");
    const answer = await api.get("/metrics");
    expect(answer.headers["content-type"]).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(answer.text).toMatch(/^engram_active_locks 1$/m);
  });

  test("/openapi.json describes every operation of the API", async () => {
    await using api = await startTestServer();
    const { json } = await api.get("/openapi.json");
    expect(json.openapi).toBe("3.1.0");
    expect(operations(json).toSorted()).toEqual([
      "delete /v1/agents/{agent_id}/locks",
      "get /healthz",
      "get /metrics",
      "get /readyz",
      "get /v1/agents/{agent_id}",
      "get /v1/events",
      "get /v1/locks",
      "get /v1/resources/{resource_path}",
      "get /v1/stats",
      "get /v1/ws",
      "post /v1/locks",
      "post /v1/locks/check",
      "post /v1/locks/extend",
      "post /v1/locks/release",
    ]);
    const groups = Object.values(json.paths).flatMap((path) =>
      Object.values(path).flatMap(({ tags }) => tags),
    );
    expect([...new Set(groups)]).toEqual(["Locks", "Resources and agents", "Events", "Server"]);
    expect(Object.keys(json.components.schemas)).toEqual(
      expect.arrayContaining(["Lock", "Problem", "AcquireRequest"]),
    );
    const { properties } = json.components.schemas["AcquireRequest"]!;
    expect(properties["metadata"]).toMatchObject({
      type: "object",
      additionalProperties: { type: "string" },
    });
  });

  test("/docs offers requests that are accepted as they are", async () => {
    await using api = await startTestServer();
    const { paths } = (await api.get("/openapi.json")).json;
    const codes: string[] = [];
    for (const [path, { post }] of Object.entries(paths)) {
      if (post === undefined) continue;
      const { status } = await api.post(path, post.requestBody!.content["application/json"]!.example);
      codes.push(`${path} ${status}`);
    }
    // What is extended has no real lock id.
    expect(codes).toEqual([
      "/v1/locks 201",
      "/v1/locks/extend 410",
      "/v1/locks/release 200",
      "/v1/locks/check 200",
    ]);
  });

  test("/docs needs nothing from elsewhere", async () => {
    await using api = await startTestServer();
    const page = await api.get("/docs");
    expect(page.headers["content-type"]).toBe("text/html; charset=utf-8");
    const policy = page.headers["content-security-policy"];
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|https?:/);
    expect(page.text).not.toMatch(/https?:\/\/|<script>|<style|style=/);
    for (const [, file] of page.text.matchAll(/(?:src|href)="(\/[^"]+)"/g)) {
      const asset = await api.get(file!);
      expect(asset.status, `${file}`).toBe(200);
      expect(asset.headers["content-type"], `${file}`).toMatch(/^text\/(javascript|css); charset=utf-8$/);
      expect(asset.headers["content-security-policy"]).toBe(policy);
    }
  });

  test("/ names the addresses", async () => {
    await using api = await startTestServer({ version: "1.2.3" });
    const { json } = await api.get("/");
    expect(json).toMatchObject({ name: "engram-lock", version: "1.2.3", docs: "/docs" });
    expect((await api.get(json.openapi)).status).toBe(200);
  });
});

describe("addresses and methods", () => {
  test.each([
    "/nope",
    "/v1",
    "/v1/",
    "/v1/lock",
    "/v1/locks/",
    "/v1/locks/other",
    "/v1/resources",
    "/v1/agents",
    "/v1/agents/",
    "/docs/LICENSE",
    "/docs/package.json",
    "//",
    "/__proto__",
  ])("%s is nothing", async (path) => {
    await using api = await startTestServer();
    expect((await api.get(path)).json).toMatchObject({ status: 404, code: "invalid" });
  });

  test("a wrong method is told the right ones", async () => {
    await using api = await startTestServer();
    const allowed = async (method: string, path: string): Promise<unknown> => {
      const answer = await api.call(method, path);
      expect(answer.status).toBe(405);
      const told = method === "HEAD" ? {} : { code: "invalid", field: "method" };
      expect(answer.json).toMatchObject(told);
      return answer.headers["allow"];
    };
    expect(await allowed("PUT", "/v1/locks")).toBe("HEAD, GET, POST");
    expect(await allowed("GET", "/v1/locks/extend")).toBe("POST");
    expect(await allowed("HEAD", "/v1/locks/extend")).toBe("POST");
    expect(await allowed("OPTIONS", "/v1/locks/release")).toBe("POST");
    expect(await allowed("GET", "/v1/agents/a/locks")).toBe("DELETE");
    expect(await allowed("PATCH", "/v1/resources/a/b/c")).toBe("HEAD, GET");
    expect(await allowed("TRACE", "/")).toBe("HEAD, GET");
  });

  test("HEAD is GET without the body", async () => {
    await using api = await startTestServer();
    const answer = await api.call("HEAD", "/v1/stats");
    expect(answer).toMatchObject({ status: 200, text: "" });
    expect(answer.headers["content-type"]).toBe("application/json");
  });
});
