/** Anything at all, at the boundary: always an answer in the one form, never a 5xx, never silence. */

import { Agent, request } from "node:http";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { oddTexts } from "../support/odd-texts.js";
import { readToEnd, startTestServer, type TestServer } from "./running-server.js";

let api: TestServer;
const agent = new Agent({ keepAlive: true, maxSockets: 20 });
beforeAll(async () => {
  api = await startTestServer();
});
afterAll(async () => {
  agent.destroy();
  await api[Symbol.asyncDispose]();
});

const text = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 20 }),
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.constantFrom(...oddTexts, "true"),
);
/** Long waits are for other tests. */
const duration = fc.oneof(
  fc.constantFrom<unknown>("30s", "1m", "5x", "", null, -1, 0, 1e20, "99d", {}, [], true),
  fc.integer(),
  fc.double(),
);
const wait = fc.constantFrom<unknown>(0, "20ms", 40, -1, null, "x", 1e300, {});
const anything = fc.oneof(text, duration, fc.jsonValue());
const named = fc.array(
  fc.oneof(fc.record({ resource_path: text, lock_id: text }, { requiredKeys: [] }), anything),
  { maxLength: 3 },
);
/** What any of the messages may have, some of it right. */
const members: Record<string, fc.Arbitrary<unknown>> = {
  resource_path: text,
  resource_paths: fc.oneof(fc.array(text, { maxLength: 4 }), anything),
  agent_id: anything,
  mode: fc.oneof(fc.constantFrom("shared", "exclusive"), anything),
  scope: fc.oneof(fc.constantFrom("tree", "resource"), anything),
  ttl: duration,
  ttl_ms: duration,
  timeout: wait,
  timeout_ms: wait,
  reason: text,
  metadata: fc.oneof(fc.dictionary(text, text, { maxKeys: 3 }), anything),
  locks: named,
  all: fc.oneof(fc.constant(true), anything),
  force: fc.oneof(fc.boolean(), anything),
  acquired_with: text,
  ["__proto__"]: anything,
  more: anything,
};
const right = fc.constantFrom<object>(
  { agent_id: "ann", resource_path: "/a" },
  { agent_id: "bob", resource_path: "/a", timeout: "30ms" },
  { agent_id: "bob", resource_path: "/a/b", mode: "shared", scope: "tree" },
  { agent_id: "cat", resource_paths: ["/a", "/c"], ttl: "10ms" },
  { agent_id: "cat", all: true },
  { agent_id: "ann", locks: [] },
  {},
);
const change = fc
  .constantFrom(...Object.keys(members))
  .chain((name) => fc.tuple(fc.constant(name), members[name]!));
const body = fc.oneof(
  {
    arbitrary: fc
      .tuple(right, fc.array(change, { maxLength: 2 }))
      .map(([base, changes]) => JSON.stringify(Object.fromEntries([...Object.entries(base), ...changes]))),
    weight: 6,
  },
  { arbitrary: fc.jsonValue().map((value) => JSON.stringify(value)), weight: 1 },
);
const raw = fc.oneof({ arbitrary: body, weight: 5 }, { arbitrary: text, weight: 1 });

const segment = text.map((part) => {
  try {
    return encodeURIComponent(part);
  } catch {
    return "%ed%a0%80";
  }
});
const path = fc
  .tuple(
    fc.constantFrom(
      "/v1/locks",
      "/v1/locks",
      "/v1/locks",
      "/v1/locks",
      "/v1/locks/extend",
      "/v1/locks/release",
      "/v1/locks/check",
      "/v1/resources/",
      "/v1/agents/",
      "/v1/stats",
      "/",
      "/readyz",
      "/metrics",
    ),
    fc.array(segment, { maxLength: 3 }),
    fc.constantFrom("", "/locks", "%", "%2F", "//"),
    fc.array(
      fc.tuple(
        fc.constantFrom(
          "prefix",
          "limit",
          "cursor",
          "mode",
          "reason",
          "force",
          "wait_for",
          "agent_id",
          "expiring_within",
          "x",
        ),
        segment,
      ),
      { maxLength: 3 },
    ),
  )
  .map(([base, parts, end, query]) => {
    const address = base.endsWith("/") ? base + parts.join("/") + end : base;
    return query.length === 0
      ? address
      : `${address}?timeout=2ms&${query.map((pair) => pair.join("=")).join("&")}`;
  });
const headers = fc.record(
  {
    "content-type": fc.oneof(
      { arbitrary: fc.constant("application/json"), weight: 8 },
      { arbitrary: fc.constantFrom("text/plain", "x", ""), weight: 1 },
    ),
    "x-agent-id": fc.oneof(
      fc.constantFrom("ann", "bob"),
      fc.string({ unit: "grapheme-ascii", maxLength: 10 }),
    ),
    "idempotency-key": fc.oneof(
      fc.constantFrom("k1", "k2"),
      fc.string({ unit: "grapheme-ascii", maxLength: 10 }),
    ),
    origin: fc.oneof(
      { arbitrary: fc.constant(undefined), weight: 19 },
      { arbitrary: fc.constantFrom("http://evil.example", "null"), weight: 1 },
    ),
    host: fc.oneof(
      { arbitrary: fc.constantFrom("localhost", "127.0.0.1", "[::1]:7420"), weight: 19 },
      { arbitrary: fc.constantFrom("evil.example", "localhost:x"), weight: 1 },
    ),
  },
  { requiredKeys: ["content-type"] },
);
const method = fc.oneof(
  { arbitrary: fc.constantFrom("POST", "GET", "DELETE"), weight: 9 },
  { arbitrary: fc.constantFrom("PUT", "HEAD", "OPTIONS", "PATCH", "TRACE"), weight: 1 },
);

const call = fc.record({ method, path, headers, body: raw });

test("any request is answered, and never with a 5xx", { timeout: 120_000 }, async () => {
  const seen = new Map<number, number>();
  await fc.assert(
    fc.asyncProperty(fc.array(call, { minLength: 10, maxLength: 10 }), async (calls) => {
      const answers = await Promise.all(calls.map(send));
      for (const { status, type } of answers) {
        seen.set(status, (seen.get(status) ?? 0) + 1);
        expect(status).toBeLessThan(500);
        expect(type === "application/problem+json").toBe(status >= 400);
      }
    }),
    { numRuns: 400 },
  );
  // It got beyond the first check.
  expect([...seen.keys()]).toEqual(expect.arrayContaining([200, 201, 400, 403, 404, 409]));
  await api.manager.getStats();
});

test("any bytes are answered or cut off, and the server goes on", { timeout: 120_000 }, async () => {
  const line = fc.constantFrom(
    "GET / HTTP/1.1",
    "POST /v1/locks HTTP/1.1",
    "GET /v1/locks?x HTTP/1.0",
    "PRI * HTTP/2.0",
    "",
  );
  const header = fc.oneof(
    fc.constantFrom(
      "Host: localhost",
      "Content-Length: 3",
      "Content-Length: -1",
      "Transfer-Encoding: chunked",
      "Connection: upgrade",
      "Upgrade: websocket",
      "Expect: 100-continue",
      "Expect: x",
      "Content-Type: application/json",
    ),
    fc.string({ unit: "binary-ascii", maxLength: 30 }),
  );
  const bytes = fc
    .tuple(line, fc.array(header, { maxLength: 5 }), fc.uint8Array({ maxLength: 60 }))
    .map(([first, lines, rest]) =>
      Buffer.concat([Buffer.from(`${[first, ...lines].join("\r\n")}\r\n\r\n`, "latin1"), rest]),
    );
  await fc.assert(
    fc.asyncProperty(bytes, async (sent) => {
      const socket = await api.socket();
      socket.end(sent);
      const answer = await readToEnd(socket);
      expect(answer).not.toMatch(/^HTTP\/1\.1 5/m);
    }),
    { numRuns: 500 },
  );
  expect((await api.get("/readyz")).status).toBe(200);
});

/** What takes longer hangs. */
const answerWithinMs = 10_000;

function send(options: {
  method: string;
  path: string;
  headers: Record<string, string | undefined>;
  body: string;
}) {
  const hasBody = options.method === "POST" || options.method === "PUT";
  const present = Object.entries(options.headers).filter(([, value]) => value !== undefined);
  return new Promise<{ status: number; type: string | undefined }>((resolve, reject) => {
    const outgoing = request(
      {
        agent,
        host: "127.0.0.1",
        port: api.port,
        method: options.method,
        path: options.path,
        headers: {
          ...Object.fromEntries(present),
          ...(hasBody && { "content-length": String(Buffer.byteLength(options.body)) }),
        },
      },
      (response) => {
        response.resume();
        response.on("end", () =>
          resolve({ status: response.statusCode!, type: response.headers["content-type"] }),
        );
        response.on("error", reject);
      },
    );
    outgoing.on("error", reject);
    outgoing.setTimeout(answerWithinMs, () =>
      outgoing.destroy(new Error(`No answer to ${JSON.stringify(options)}`)),
    );
    outgoing.end(hasBody ? options.body : undefined);
  });
}
