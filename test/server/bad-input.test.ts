/** F34 to F38: whatever is sent, it is refused in words, nothing is changed, and no more than a little of it comes back. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answer, readToEnd, startTestServer, type TestServer } from "./running-server.js";

let api: TestServer;
beforeAll(async () => {
  api = await startTestServer();
});
afterAll(() => api[Symbol.asyncDispose]());

/** What is to be said of every refusal here. */
async function verdict(answer: Answer): Promise<object> {
  const { status, code, retryable } = answer.json;
  return {
    status,
    code,
    retryable,
    short: answer.text.length < 2_000,
    locks: await api.manager.getLockCount(),
  };
}

const refused = { status: 400, code: "invalid", retryable: false, short: true, locks: 0 };

const claim = { resource_path: "/a", agent_id: "ann" };

function acquire(more: object): Promise<Answer> {
  return api.post("/v1/locks", { ...claim, ...more });
}

describe("paths (F34)", () => {
  test.each([
    ["nothing in it", ""],
    ["slashes only", "/".repeat(60_000)],
    ["60,000 bytes", "x".repeat(60_000)],
    ["10,000 segments", Array.from({ length: 10_000 }, () => "a").join("/")],
    ["NUL", "/a\0b"],
    ["line break", "/a\r\nb"],
    ["text direction", "/a\u202eb"],
    ["lone surrogate", "/a\ud800b"],
    ["dot dot", "/a/../b"],
    ["dot", "/a/./b"],
    ["empty segment", "/a//b"],
    ["two slashes", "//"],
  ])("refuses one with %s", async (_, path) => {
    expect(await verdict(await acquire({ resource_path: path }))).toEqual(refused);
    expect(
      await verdict(await api.post("/v1/locks", { resource_paths: [path, "/fine"], agent_id: "ann" })),
    ).toEqual(refused);
    expect(
      await verdict(await api.post("/v1/locks/check", { resource_paths: [path], agent_id: "ann" })),
    ).toEqual(refused);
  });

  test.each(["a%00", "a%0d%0ab", "%", "%zz", "%ff", "%c3", "%ed%a0%80", "a%2F..%2Fb", "a%2F%2Fb"])(
    "refuses the address %s",
    async (path) => {
      expect(await verdict(await api.get(`/v1/resources/${path}`))).toEqual(refused);
    },
  );

  test.each([null, 1, true, {}, ["/a"], undefined])("refuses %j as a path", async (path) => {
    expect(await verdict(await acquire({ resource_path: path }))).toEqual(refused);
  });

  test.each(["/__proto__", "/constructor", "/hasOwnProperty", "/a\\b", "/a%2Fb"])(
    "%s is a path like any other",
    async (path) => {
      const answer = await acquire({ resource_path: path });
      expect(answer.json.locks[0]!.resource_path).toBe(path);
      await api.post("/v1/locks/release", { agent_id: "ann", all: true });
    },
  );

  test("a number of paths above the limit is refused", async () => {
    const paths = (count: number): string[] => Array.from({ length: count }, (_, index) => `/p/${index}`);
    expect(
      await verdict(await api.post("/v1/locks", { resource_paths: paths(51), agent_id: "ann" })),
    ).toEqual(refused);
    expect(
      await verdict(await api.post("/v1/locks/check", { resource_paths: paths(201), agent_id: "ann" })),
    ).toEqual(refused);
    expect(await verdict(await api.post("/v1/locks", { ...claim, resource_paths: ["/b"] }))).toEqual(refused);
    expect(await verdict(await api.post("/v1/locks", { agent_id: "ann" }))).toEqual(refused);
  });
});

describe("agents, reasons, metadata (F35)", () => {
  test.each(["", "x".repeat(257), "a\nb", "a\u001b[31m", "\ud800", "\u0085", null, 7, {}])(
    "refuses agent %j",
    async (agent_id) => {
      expect(await verdict(await acquire({ agent_id }))).toEqual(refused);
    },
  );

  test.each([
    { reason: "x".repeat(201) },
    { reason: "a\nb" },
    { reason: null },
    { metadata: { a: 1 } },
    { metadata: { a: null } },
    { metadata: [] },
    { metadata: "x" },
    { metadata: { a: "x".repeat(1025) } },
    { mode: "both" },
    { mode: null },
    { scope: 1 },
  ])("refuses %j", async (more) => {
    expect(await verdict(await acquire(more))).toEqual(refused);
  });

  test("__proto__ is a name like any other in metadata", async () => {
    const answer = await api.call("POST", "/v1/locks", {
      body: '{"resource_path":"/a","agent_id":"ann","metadata":{"__proto__":"x","constructor":"y"}}',
      headers: { "content-type": "application/json" },
    });
    expect(answer.text).toContain('"metadata":{"__proto__":"x","constructor":"y"}');
    expect((await api.get("/v1/locks")).text).toContain('"__proto__":"x"');
    expect(Object.hasOwn(Object.prototype, "x")).toBe(false);
    await api.post("/v1/locks/release", { agent_id: "ann", all: true });
  });
});

describe("durations (F36)", () => {
  test.each([
    "-1",
    "0",
    "-0",
    "1e20",
    "1e999",
    '"100"',
    '"-5s"',
    '"5"',
    '""',
    '"1,5h"',
    '"1e3ms"',
    "null",
    "true",
    "{}",
    "[1]",
    '{"valueOf":1}',
    "9007199254740992",
    '"25h"',
  ])("refuses ttl %s", async (ttl) => {
    for (const field of ["ttl", "ttl_ms"]) {
      const answer = await api.call("POST", "/v1/locks", {
        body: `{"resource_path":"/a","agent_id":"ann","${field}":${ttl}}`,
        headers: { "content-type": "application/json" },
      });
      expect(await verdict(answer)).toEqual(refused);
      expect(answer.json.field).toMatch(/^ttl/);
    }
  });

  test.each(["-1", "1e20", "1e999", "null", '"100"', '"25h"', "false"])(
    "refuses timeout %s",
    async (timeout) => {
      for (const field of ["timeout", "timeout_ms"]) {
        const answer = await api.call("POST", "/v1/locks", {
          body: `{"resource_path":"/a","agent_id":"ann","${field}":${timeout}}`,
          headers: { "content-type": "application/json" },
        });
        expect(await verdict(answer)).toEqual(refused);
        expect(answer.json.field).toMatch(/^timeout/);
      }
    },
  );

  test("refuses a duration given in two ways", async () => {
    expect(await verdict(await acquire({ ttl: "1s", ttl_ms: 1000 }))).toEqual(refused);
    expect(await verdict(await acquire({ timeout: 0, timeout_ms: 0 }))).toEqual(refused);
    expect(await verdict(await api.get("/v1/resources/a?wait_for=free&timeout=-1"))).toEqual(refused);
    expect(await verdict(await api.get("/v1/resources/a?wait_for=held"))).toEqual(refused);
  });

  test("rounds a part of a millisecond up", async () => {
    expect((await acquire({ ttl: 1000.5 })).json.locks[0]!.ttl_ms).toBe(1001);
    await api.post("/v1/locks/release", { agent_id: "ann", all: true });
  });
});

describe("bodies (F38)", () => {
  const post = (body: string | Uint8Array, headers: Record<string, string> = {}): Promise<Answer> =>
    api.call("POST", "/v1/locks", { body, headers: { "content-type": "application/json", ...headers } });
  const deep = (levels: number): string => `{"metadata":${"[".repeat(levels)}${"]".repeat(levels)}}`;

  test.each([
    ["nothing", ""],
    ["no JSON", "resource_path=/a"],
    ["half of it", '{"resource_path":"/a"'],
    ["two of them", "{}{}"],
    ["a list", "[]"],
    ["a text", '"x"'],
    ["null", "null"],
    ["a byte order mark", '\ufeff{"resource_path":"/a","agent_id":"ann"}'],
    ["deep nesting", deep(20_000)],
    ["nesting just too deep", deep(16)],
    ["an unclosed deep nesting", "[".repeat(60_000)],
    ["many members", `{${Array.from({ length: 5_000 }, (_, index) => `"k${index}":1`).join(",")}}`],
    ["a name of 60,000 characters", `{"${"x".repeat(60_000)}":1}`],
    ["__proto__ as a member", '{"resource_path":"/a","agent_id":"ann","__proto__":{"ttl":1}}'],
    ["constructor as a member", '{"resource_path":"/a","agent_id":"ann","constructor":1}'],
    ["an unknown member", '{"resource_path":"/a","agent_id":"ann","tttl":1}'],
    ["an unknown member inside", '{"locks":[{"resource_path":"/a","lock_id":"x","y":1}]}'],
  ])("refuses %s", async (_, body) => {
    expect(await verdict(await post(body))).toEqual(refused);
  });

  test("refuses ill-formed UTF-8", async () => {
    expect(await verdict(await post(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])))).toEqual(
      refused,
    );
    expect(await verdict(await post(Buffer.from('{"agent_id":"\u00e4"}', "latin1")))).toEqual(refused);
    expect(await verdict(await post(Buffer.from('{"agent_id":"x"}', "utf16le")))).toEqual(refused);
  });

  test("names the member that it does not know", async () => {
    const answer = await post('{"resource_path":"/a","agent_id":"ann","tttl":1}');
    expect(answer.json.field).toBe("tttl");
    expect(answer.json.allowed).toContain("ttl");
  });

  test("takes the last of two members with one name, as JSON.parse does", async () => {
    const answer = await post('{"resource_path":"/b","agent_id":"ann","resource_path":"/a"}');
    expect(answer.json.locks[0]!.resource_path).toBe("/a");
    await api.post("/v1/locks/release", { agent_id: "ann", all: true });
  });

  test.each([
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/jsonp",
    "application/json; charset=latin1",
    "",
  ])("refuses Content-Type %j", async (type) => {
    expect(await verdict(await post(JSON.stringify(claim), { "content-type": type }))).toEqual({
      ...refused,
      status: 415,
    });
  });

  test("refuses an encoded body and one without a type", async () => {
    expect(await verdict(await post(JSON.stringify(claim), { "content-encoding": "gzip" }))).toEqual({
      ...refused,
      status: 415,
    });
    expect(await verdict(await api.call("POST", "/v1/locks", { body: JSON.stringify(claim) }))).toEqual({
      ...refused,
      status: 415,
    });
  });

  test("refuses a body above 64 KiB, said or not, and takes one below", async () => {
    const padded = (bytes: number): string => JSON.stringify(claim).padEnd(bytes);
    expect(await verdict(await post(padded(64 * 1024 + 1)))).toEqual({ ...refused, status: 413 });
    expect(await verdict(await post(padded(1024 * 1024)))).toEqual({ ...refused, status: 413 });
    expect((await post(padded(64 * 1024))).status).toBe(201);
    await api.post("/v1/locks/release", { agent_id: "ann", all: true });

    const socket = await api.socket();
    socket.write(
      "POST /v1/locks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    const chunk = `${(8192).toString(16)}\r\n${" ".repeat(8192)}\r\n`;
    for (let sent = 0; sent < 9; sent++) socket.write(chunk);
    expect(await readToEnd(socket)).toMatch(/^HTTP\/1\.1 413 /);
  });

  test("a gigabyte is refused by what it says of itself", async () => {
    const socket = await api.socket();
    socket.write(
      "POST /v1/locks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1073741824\r\n\r\n{",
    );
    expect(await readToEnd(socket)).toMatch(/^HTTP\/1\.1 413 /);
  });
});

describe("what is no request", () => {
  test.each([
    ["nonsense", "nonsense\r\n\r\n", 400],
    ["a request line of another protocol", "GET / HTTP/3.0\r\n\r\n", 400],
    [
      "two lengths",
      "POST /v1/locks HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
      400,
    ],
    [
      "a length and chunks",
      "POST /v1/locks HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
      400,
    ],
    ["a line break in a header", "GET / HTTP/1.1\r\nHost: localhost\r\nX-Agent-ID: a\rb\r\n\r\n", 400],
    ["20 KiB of headers", `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(20_000)}\r\n\r\n`, 431],
  ])("%s is refused", async (_, text, status) => {
    const socket = await api.socket();
    socket.write(text);
    const answer = await readToEnd(socket);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(answer).toMatch(/content-type: application\/problem\+json/);
    expect(answer).toMatch(/x-request-id: [0-9a-f-]{36}/);
  });
});

test("nothing a caller sends comes back in a header (F41)", async () => {
  const marker = "zqx-marker";
  const answers = await Promise.all([
    api.post(
      "/v1/locks",
      { ...claim, resource_path: `/${marker}`, reason: marker },
      { "x-request-id": marker, "idempotency-key": marker },
    ),
    api.get(`/v1/resources/${marker}`, { headers: { "x-request-id": marker } }),
    api.get(`/${marker}?${marker}=${marker}`, { headers: { "x-agent-id": marker } }),
    api.call("PUT", `/v1/resources/${marker}`),
  ]);
  for (const { headers } of answers) expect(JSON.stringify(headers)).not.toContain(marker);
  await api.post("/v1/locks/release", { agent_id: "ann", all: true });
});
