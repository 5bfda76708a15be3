/** The client against servers that do not do what they should, and networks that break. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import { connectOverHttp } from "../../src/client/connect-over-http.js";
import type { LockManager } from "../../src/lock-manager.js";
import { ManualClock } from "../support/manual-clock.js";
import { until } from "./running-server.js";

interface Heard {
  readonly path: string;
  readonly key: string | undefined;
  readonly body: Readonly<Record<string, unknown>>;
}

interface Stub extends AsyncDisposable {
  readonly remote: LockManager;
  readonly heard: readonly Heard[];
  readonly server: Server;
}

type Behave = (request: Heard, response: ServerResponse, count: number) => void;

async function stub(behave: Behave, clock?: ManualClock): Promise<Stub> {
  const heard: Heard[] = [];
  const server = createServer((incoming, response) => {
    readBody(incoming).then(
      (body) => {
        const request = { path: incoming.url!, key: incoming.headers["idempotency-key"]?.toString(), body };
        heard.push(request);
        behave(request, response, heard.filter(({ path }) => path === request.path).length);
      },
      () => {},
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const remote = connectOverHttp(`http://127.0.0.1:${port}`, clock && { clock });
  return {
    remote,
    heard,
    server,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await remote.close();
    },
  };
}

async function readBody(incoming: IncomingMessage): Promise<Heard["body"]> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  return text === "" ? {} : JSON.parse(text);
}

function json(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

const lock = {
  lock_id: "l1",
  resource_path: "/a",
  agent_id: "ann",
  mode: "exclusive",
  scope: "resource",
  fencing_token: 7,
  acquired_at: "2026-01-01T00:00:00.000Z",
  expires_at: "2126-01-01T00:00:00.000Z",
  expires_in_ms: 30_000,
  ttl_ms: 30_000,
  something_new: true,
};

describe("a connection that breaks", () => {
  test("before an acquire is answered: it is made again with the same key", async () => {
    await using broken = await stub((request, response, count) => {
      if (count === 1) response.destroy();
      else json(response, { locks: [lock] }, 201);
    });
    expect(await broken.remote.acquireLock("/a", "ann")).toMatchObject({ lockId: "l1", fencingToken: 7 });
    expect(broken.heard).toHaveLength(2);
    expect(broken.heard[0]!.key).toMatch(/^[0-9a-f-]{36}$/);
    expect(broken.heard[1]).toEqual(broken.heard[0]);
  });

  test("each time: the outcome is unknown, and the acquire is called off", async () => {
    await using broken = await stub((request, response) => {
      if (request.path === "/v1/locks") response.destroy();
      else json(response, { released: [] });
    });
    await expect(broken.remote.acquireLock("/a", "ann")).rejects.toMatchObject({ code: "outcome_unknown" });
    await until(() => broken.heard.length === 3);
    expect(broken.heard[2]).toMatchObject({
      path: "/v1/locks/release",
      body: { agent_id: "ann", acquired_with: broken.heard[0]!.key },
    });
  });

  test("and then the server is gone: the outcome is unknown, not certainly nothing", async () => {
    await using broken = await stub((_, response) => {
      broken.server.close();
      response.destroy();
    });
    await expect(broken.remote.acquireLock("/a", "ann")).rejects.toMatchObject({ code: "outcome_unknown" });
  });

  test("before a release is answered: gone the second time means released", async () => {
    await using broken = await stub((_, response, count) => {
      if (count === 1) response.destroy();
      else json(response, { released: [false] });
    });
    expect(await broken.remote.releaseLock("/a", "ann", "l1")).toBe(true);
  });

  test("before a release by force is answered: it is not made again", async () => {
    await using broken = await stub((_, response) => response.destroy());
    await expect(broken.remote.forceRelease("/a", { reason: "x" })).rejects.toMatchObject({
      code: "outcome_unknown",
    });
    expect(broken.heard).toHaveLength(1);
  });

  test("before a view is answered: nothing can have changed", async () => {
    await using broken = await stub((_, response) => response.destroy());
    await expect(broken.remote.getStats()).rejects.toMatchObject({ code: "store_unavailable" });
    expect(broken.heard).toHaveLength(2);
  });

  test("in the middle of an answer is no answer", async () => {
    await using broken = await stub((_, response, count) => {
      if (count > 1) json(response, { locks: 1, waiters: 0, agents: 1 });
      else {
        response.writeHead(200, { "content-type": "application/json", "content-length": "100" });
        response.write("{", () => response.destroy());
      }
    });
    expect(await broken.remote.getStats()).toMatchObject({ locks: 1 });
  });
});

test("a server that nobody runs cannot have changed anything", async () => {
  const broken = await stub(() => {});
  broken.server.close();
  for (const call of [
    () => broken.remote.acquireLock("/a", "ann"),
    () => broken.remote.releaseLock("/a", "ann", "x"),
    () => broken.remote.getStats(),
    () => broken.remote.metrics(),
  ]) {
    await expect(call()).rejects.toMatchObject({
      code: "store_unavailable",
      facts: { next: expect.any(Array) },
    });
  }
  await broken.remote.close();
});

test("an acquire that is aborted after it was sent is called off", async () => {
  await using broken = await stub((request, response) => {
    if (request.path !== "/v1/locks") json(response, { released: [true] });
  });
  const gone = new AbortController();
  const asking = broken.remote.acquireLock("/a", "ann", { timeout: "1h", signal: gone.signal });
  await until(() => broken.heard.length === 1);
  gone.abort();
  await expect(asking).rejects.toMatchObject({ code: "aborted" });
  await until(() => broken.heard.length === 2);
  expect(broken.heard[1]!.body).toEqual({ agent_id: "ann", acquired_with: broken.heard[0]!.key });
});

test("an answer that does not come in time is none", async () => {
  const clock = new ManualClock();
  await using broken = await stub(() => {}, clock);
  const asking = broken.remote.extendLock("/a", "ann", "l1").catch((error: unknown) => error);
  await until(() => broken.heard.length === 1);
  await clock.advance(30_000);
  await until(() => broken.heard.length === 2);
  await clock.advance(30_000);
  expect(await asking).toMatchObject({ code: "outcome_unknown" });
});

test("a wait for ever goes on after the longest wait of one request", async () => {
  const clock = new ManualClock();
  await using broken = await stub((_, response, count) => {
    if (count > 1) json(response, { locks: [lock] }, 201);
    else {
      const refusal = JSON.stringify({ ...problem, code: "held", status: 409 });
      const refuse = (): void =>
        void response.writeHead(409, { "content-type": "application/problem+json" }).end(refusal);
      clock.advance(24 * 3_600_000).then(refuse, refuse);
    }
  }, clock);
  expect((await broken.remote.acquireLock("/a", "ann", { timeout: Infinity })).lockId).toBe("l1");
  expect(broken.heard.map(({ body }) => body.timeout_ms)).toEqual([24 * 3_600_000, 24 * 3_600_000]);
  expect(broken.heard[0]!.key).not.toBe(broken.heard[1]!.key);
});

const problem = {
  type: "urn:engram-lock:problem:held",
  title: "t",
  status: 400,
  code: "invalid",
  detail: "d",
  retryable: true,
  next: [],
  conflicts: [],
};

describe("an answer that is none of ours", () => {
  test.each([
    [502, "text/html", "<h1>Bad gateway</h1>", "store_unavailable"],
    [503, "application/json", "{}", "store_unavailable"],
    [429, "text/plain", "slow down", "store_unavailable"],
    [500, "text/plain", "oops", "store_unavailable"],
    [404, "text/html", "nothing here", "invalid"],
    [401, "application/problem+json", JSON.stringify({ ...problem, code: "unauthorized" }), "invalid"],
    [200, "text/html", "<h1>Welcome</h1>", "store_unavailable"],
    [200, "application/json", '{"locks":"many"}', "store_unavailable"],
    [302, "text/html", "", "invalid"],
  ])("%i %s %s", async (status, type, body, code) => {
    await using broken = await stub((_, response) =>
      response.writeHead(status, { "content-type": type }).end(body),
    );
    await expect(broken.remote.getStats()).rejects.toMatchObject({ code });
  });
});
