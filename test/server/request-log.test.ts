import { describe, expect, test } from "vitest";
import { createLockManager } from "../../src/create-lock-manager.js";
import { intercept } from "./intercept.js";
import { keptLog } from "./kept-log.js";
import { queueLength, startTestServer, until } from "./running-server.js";

describe("the log", () => {
  test("has one line for each request, by the route's pattern", async () => {
    const log = keptLog();
    await using api = await startTestServer({ logger: log.logger });
    const answer = await api.get("/v1/resources/secret/path?wait_for=free");
    await until(() => log.entries().some((entry) => entry.request_id === answer.headers["x-request-id"]));
    const lines = log.entries().filter((entry) => entry.request_id === answer.headers["x-request-id"]);
    expect(lines).toMatchObject([
      { method: "GET", route: "/v1/resources/{resource_path}", status: 200, msg: "request" },
    ]);
    expect(lines[0]!.ms).toBeGreaterThanOrEqual(0);
    expect(log.lines.join("")).not.toContain("secret");
  });

  test("shows the agent, short and escaped, and nothing else of the caller (F42)", async () => {
    const log = keptLog();
    await using api = await startTestServer({ logger: log.logger });
    const agent_id = `${"\u202e"}ann\n\u001b[31m${"x".repeat(1000)}`;
    const headers = { authorization: "Bearer elk_secret", cookie: "a=elk_secret" };
    await api.post("/v1/locks", { resource_path: "/a", agent_id, reason: "elk_secret" }, headers);
    await api.call("PROPFIND", "/elk_secret", { headers });
    await until(() => log.entries().at(-1)?.method === "other");
    const text = log.lines.join("");
    expect(text).not.toContain("elk_secret");
    for (const character of ["\u202e", "\u001b"]) expect(text).not.toContain(character);
    const { agent } = log.entries().find((entry) => entry.agent !== undefined)!;
    expect(agent).toMatch(/^\\u202eann\\u000a\\u001b\[31mx+$/);
    expect(agent?.length).toBeLessThan(300);
    expect(log.entries().at(-1)).toMatchObject({ method: "other", route: "none", status: 404 });
  });

  test("has the failure that the answer does not tell", async () => {
    const log = keptLog();
    const manager = await createLockManager({}, "memory:");
    const broken = intercept(manager, {
      getStats: async () => {
        throw new TypeError("internal detail");
      },
    });
    await using api = await startTestServer({ manager: broken, logger: log.logger });
    const answer = await api.get("/v1/stats");
    expect(answer.json).toMatchObject({ status: 500, code: "outcome_unknown" });
    expect(answer.text).not.toContain("internal detail");
    const failure = log.entries().find((entry) => entry.err !== undefined);
    expect(failure).toMatchObject({
      level: 50,
      request_id: answer.json.request_id,
      err: { message: "internal detail" },
    });
  });

  test("tells of callers that hung up, and keeps quiet about probes", async () => {
    const log = keptLog();
    await using api = await startTestServer({ logger: log.logger });
    await api.manager.acquireLock("/a", "bob");
    const gone = new AbortController();
    const json = { resource_path: "/a", agent_id: "ann", timeout: "1h" };
    const waiting = api.call("POST", "/v1/locks", { json, signal: gone.signal });
    await until(async () => (await queueLength(api.manager, "/a")) === 1);
    gone.abort();
    await expect(waiting).rejects.toMatchObject({ code: "ABORT_ERR" });
    await until(() => log.entries().some((entry) => entry.status === 499));
    await api.get("/healthz");
    await api.get("/readyz");
    await api.get("/metrics");
    await api.get("/v1/stats");
    await until(() => log.entries().some((entry) => entry.route === "/v1/stats"));
    expect(log.entries().map((entry) => entry.route)).not.toContain("/healthz");
  });

  test("redacts what lets others in, should it ever be logged", () => {
    const log = keptLog();
    log.logger.info({ headers: { authorization: "Bearer elk_secret" }, authorization: "elk_secret" }, "x");
    log.logger.info({ req: { headers: { authorization: "elk_secret" } } }, "x");
    expect(log.lines.join("")).not.toContain("elk_secret");
  });
});
