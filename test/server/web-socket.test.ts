/** The WebSocket as a caller by hand sees it: who may come, what is refused, and that its answers are those of HTTP. */
import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { createLockManager } from "../../src/create-lock-manager.js";
import { maxFrameBytes } from "../../src/protocol/wire.js";
import { ManualClock } from "../support/manual-clock.js";
import { intercept, latch } from "./intercept.js";
import { RawCaller, refusedHandshake } from "./raw-caller.js";
import { queueLength, readToEnd, startTestServer, type TestServer, until } from "./running-server.js";

async function running(options: Parameters<typeof startTestServer>[0] = {}): Promise<TestServer> {
  const api = await startTestServer(options);
  onTestFinished(() => api[Symbol.asyncDispose]());
  return api;
}

describe("the handshake", () => {
  test.each([
    ["a foreign Host", { host: "evil.example" }, 403, "Host"],
    ["a foreign Origin", { origin: "https://evil.example" }, 403, "Origin"],
    ["the Origin null", { origin: "null" }, 403, "Origin"],
    ["no subprotocol", { "sec-websocket-protocol": undefined }, 400, "Sec-WebSocket-Protocol"],
    ["another subprotocol", { "sec-websocket-protocol": "mqtt, chat" }, 400, "Sec-WebSocket-Protocol"],
    ["a bad agent", { "x-agent-id": "\u00e4" }, 400, "X-Agent-ID"],
  ])("with %s is refused", async (_, headers, status, field) => {
    const { port } = await running();
    expect(await refusedHandshake(port, headers)).toMatchObject({ status, body: { status, field } });
  });

  test("at any other address finds nothing", async () => {
    const { port } = await running();
    for (const path of ["/", "/v1", "/v1/locks", "/v1/ws/", "/v1/events", "/V1/ws"])
      expect(await refusedHandshake(port, {}, path), `${path}`).toMatchObject({ status: 404 });
  });

  test("of something else than a WebSocket of version 13 is refused", async () => {
    const { port } = await running();
    const refusal = { status: 400, body: { code: "invalid", field: "handshake" } };
    expect(await refusedHandshake(port, { "sec-websocket-version": "7" })).toMatchObject(refusal);
    expect(await refusedHandshake(port, { "sec-websocket-key": "short" })).toMatchObject(refusal);
    for (const upgrade of ["h2c", "h2c, websocket"])
      expect(await refusedHandshake(port, { upgrade })).toMatchObject({
        status: 426,
        body: { code: "invalid", field: "Upgrade" },
      });
  });

  test("that offers another protocol is no handshake, and the request is answered as usual", async () => {
    const api = await running();
    const offer = { connection: "Upgrade, HTTP2-Settings", upgrade: "h2c", "http2-settings": "AAMAAABk" };
    const json = { resource_path: "/a", agent_id: "ann" };
    expect((await api.post("/v1/locks", json, offer)).status).toBe(201);
    const list = await api.get("/v1/locks", { headers: offer });
    expect(list).toMatchObject({ status: 200, json: { locks: [json] } });
    expect(await api.get("/nowhere", { headers: offer })).toMatchObject({ status: 404 });
    expect(await api.get("/v1/locks", { headers: { ...offer, host: "evil.example" } })).toMatchObject({
      status: 403,
    });
    // The connection is one of HTTP as before.
    const socket = await api.socket();
    const said = readToEnd(socket);
    const head = `Host: 127.0.0.1\r\nUpgrade: h2c\r\nConnection: Upgrade`;
    const body = JSON.stringify({ resource_path: "/b", agent_id: "ann" });
    const chunk = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    const kind = "Content-Type: application/json\r\nTransfer-Encoding: chunked";
    socket.write(`POST /v1/locks HTTP/1.1\r\n${head}\r\n${kind}\r\n\r\n${chunk}`);
    await once(socket, "data");
    socket.write(`GET /v1/locks?prefix=/b HTTP/1.1\r\n${head}, close\r\n\r\n`);
    expect((await said).match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 201", "HTTP/1.1 200"]);
    expect(await api.manager.getLockCount()).toBe(2);
  });

  test("that is refused harms nobody when its caller is gone before the answer, and is not kept open when it stays", async () => {
    const api = await running();
    const lines = ["Host: evil.example", "Connection: Upgrade", "Upgrade: websocket"];
    const request = `GET /v1/ws HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`;
    for (let n = 0; n < 50; n++) {
      const gone = await api.socket();
      gone.write(request);
      gone.resetAndDestroy();
    }
    const staying = connect({ port: api.port, host: "127.0.0.1", allowHalfOpen: true });
    onTestFinished(() => void staying.destroy());
    staying.write(request);
    staying.resume();
    await once(staying, "end");
    // Whoever writes to an end that is gone is told so.
    const told = once(staying, "error");
    const writing = setInterval(() => staying.write("x"), 10);
    expect((await told)[0]).toMatchObject({ code: expect.stringMatching(/EPIPE|ECONNRESET/) });
    clearInterval(writing);
    expect((await api.get("/healthz")).status).toBe(200);
  });

  test("is missing from a plain GET, which is told so", async () => {
    const api = await running();
    const { status, headers, json } = await api.get("/v1/ws");
    expect({ status, upgrade: headers["upgrade"] }).toEqual({ status: 426, upgrade: "websocket" });
    expect(json).toMatchObject({ code: "invalid", field: "Upgrade" });
  });

  test("with the server's own Origin, and with more subprotocols, passes", async () => {
    const { port } = await running();
    const socket = new WebSocket(`ws://localhost:${port}/v1/ws`, ["other", "engram-lock.v1"], {
      origin: `http://localhost:${port}`,
    });
    onTestFinished(() => socket.terminate());
    await once(socket, "open");
    expect({ protocol: socket.protocol, extensions: socket.extensions }).toEqual({
      protocol: "engram-lock.v1",
      extensions: "",
    });
  });

  test("is refused while the server drains, and who is connected gets its answers first", async () => {
    const manager = await createLockManager({}, "memory:");
    onTestFinished(() => manager.close());
    const [begun, finish] = [latch(), latch()];
    const slow = intercept(manager, {
      getStats: async () => {
        begun.open();
        await finish.opened;
        return manager.getStats();
      },
    });
    const api = await running({ manager: slow });
    const caller = await RawCaller.to(api.port);
    const id = caller.ask("stats");
    await begun.opened;
    const drained = api.server.drain();
    expect(await refusedHandshake(api.port)).toMatchObject({ status: 503, body: { code: "closed" } });
    finish.open();
    expect((await caller.answerTo(id)).result).toMatchObject({ locks: 0 });
    expect(await caller.closed).toBe(1001);
    await drained;
  });

  test("names the agent of all calls, and no call may name another", async () => {
    const { port, manager } = await running();
    const caller = await RawCaller.to(port, { headers: { "x-agent-id": "ann" } });
    expect((await caller.call("acquire", { resource_path: "/a" })).result?.locks).toMatchObject([
      { agent_id: "ann" },
    ]);
    const same = await caller.call("acquire", { resource_path: "/a", agent_id: "ann" });
    expect(same.result?.locks).toHaveLength(1);
    const other = await caller.call("acquire", { resource_path: "/b", agent_id: "bob" });
    expect(other.error).toMatchObject({ code: "invalid", field: "agent_id" });
    expect((await caller.call("agent")).result?.locks).toHaveLength(1);
    expect((await caller.call("release", { all: true })).result?.released).toEqual([true]);
    expect(await manager.getLockCount()).toBe(0);
  });
});

describe("a caller by hand", () => {
  test("needs no hello, may send several messages in a frame, and its waits end with its connection", async () => {
    const { port, manager } = await running();
    const caller = await RawCaller.to(port);
    caller.say([
      { id: 1, op: "acquire", resource_path: "/a", agent_id: "ann" },
      { id: 2, op: "acquire", resource_path: "/a", agent_id: "bob", timeout: "1h" },
      { id: 3, op: "ping" },
    ]);
    expect((await caller.answerTo(1)).result?.locks).toMatchObject([{ resource_path: "/a" }]);
    await caller.answerTo(3);
    expect(await queueLength(manager, "/a")).toBe(1);
    caller.socket.terminate();
    await until(async () => (await queueLength(manager, "/a")) === 0);
    expect(await manager.getLockCount()).toBe(1);
  });

  test("calls an acquire off, and it ends as aborted", async () => {
    const { port, manager } = await running();
    await manager.acquireLock("/a", "bob");
    const caller = await RawCaller.to(port);
    const waiting = caller.ask("acquire", { resource_path: "/a", agent_id: "ann", timeout: "1h" });
    await until(async () => (await queueLength(manager, "/a")) === 1);
    expect((await caller.call("cancel", { call: waiting })).result).toEqual({ cancelled: true });
    expect((await caller.answerTo(waiting)).error).toMatchObject({ code: "aborted" });
    expect((await caller.call("cancel", { call: waiting })).result).toEqual({ cancelled: false });
    expect(await queueLength(manager, "/a")).toBe(0);
  });

  test("is told when a lock of its own is lost, and not of those it gave back", async () => {
    const { port, manager } = await running();
    const caller = await RawCaller.to(port);
    const fields = { agent_id: "ann", ttl: "10m" };
    const mine = await caller.call("acquire", { ...fields, resource_path: "/mine" });
    await caller.call("acquire", { ...fields, resource_path: "/taken" });
    const { lock_id = "" } = mine.result?.locks[0] ?? {};
    await caller.call("release", { agent_id: "ann", locks: [{ resource_path: "/mine", lock_id }] });
    await manager.forceRelease("/taken", { reason: "x" });
    const { lost } = await caller.hears((said) => said.lost !== undefined);
    expect(lost).toMatchObject({ resource_path: "/taken", problem: { code: "lost" } });
    expect(caller.heard.filter((said) => said.lost !== undefined)).toHaveLength(1);
  });
});

describe("a frame that is none of this protocol", () => {
  test.each<[string, number, (socket: WebSocket) => void]>([
    ["a binary one", 1003, (socket) => socket.send(Buffer.from('{"id":1,"op":"ping"}'))],
    ["no UTF-8", 1007, (socket) => socket.send(Buffer.from([0xff, 0xfe, 0x41]), { binary: false })],
    ["one of more than 64 KiB", 1009, (socket) => socket.send(`"${"x".repeat(maxFrameBytes)}"`)],
    ["no JSON", 1008, (socket) => socket.send("acquire /a")],
    ["an empty one", 1008, (socket) => socket.send("")],
  ])("%s ends the connection, and nobody else's", async (_, code, send) => {
    const { port } = await running();
    const [caller, other] = [await RawCaller.to(port), await RawCaller.to(port)];
    await caller.call("ping");
    send(caller.socket);
    expect(await caller.closed).toBe(code);
    expect((await other.call("ping")).result).toEqual({});
  });

  test("one that is cut up into more pieces than anybody needs ends the connection", async () => {
    const { port } = await running();
    const [caller, other] = [await RawCaller.to(port), await RawCaller.to(port)];
    for (let n = 0; n < 20_000; n++) caller.socket.send(n === 0 ? '"' : "x", { fin: false });
    expect(await caller.closed).toBe(1008);
    expect((await other.call("ping")).result).toEqual({});
  });
});

describe("a message that is none of this protocol", () => {
  const strange: [string, unknown][] = [
    ["a number", 7],
    ["null", null],
    ["text", "acquire"],
    ["nothing", {}],
    ["an empty list", [[]]],
    ["lists in lists", [[[[{ op: "ping" }]]]]],
    ["no op", { id: 1 }],
    ["only __proto__", JSON.parse('{"__proto__":{"op":"ping","id":1}}')],
    ["a negative count", { seen: -1 }],
    ["a count and more", { seen: 0, more: 1 }],
    ["a late hello", { hello: {} }],
  ];
  test.each(strange)("%s is answered with a problem, and the next one is heard", async (_, message) => {
    const { port } = await running();
    const caller = await RawCaller.to(port);
    await caller.call("ping");
    caller.say(message);
    const { error } = await caller.hears((said) => said.id === null);
    expect(error).toMatchObject({ code: "invalid", status: 400 });
    expect((await caller.call("ping")).result).toEqual({});
  });

  const calls: [string, object, number | null, string][] = [
    ["an unknown op", { id: 5, op: "steal" }, 5, "op"],
    ["an op of Object.prototype", { id: 5, op: "constructor" }, 5, "op"],
    ["an op that is no text", { id: 5, op: ["ping"] }, 5, "op"],
    ["no id", { op: "ping" }, null, "id"],
    ["an id that is text", { id: "5", op: "ping" }, null, "id"],
    ["an id with a fraction", { id: 1.5, op: "ping" }, null, "id"],
    ["a huge id", { id: 1e300, op: "ping" }, null, "id"],
    ["a field too many", { id: 5, op: "ping", more: 1 }, 5, "more"],
    [
      "several paths for one",
      { id: 5, op: "acquire", agent_id: "ann", resource_paths: ["/a"] },
      5,
      "resource_path",
    ],
    ["no agent", { id: 5, op: "acquire", resource_path: "/a" }, 5, "agent_id"],
    ["a bad bound", { id: 5, op: "acquire", resource_path: "/a", agent_id: "ann", bound: 1 }, 5, "bound"],
    ["acquired_with", { id: 5, op: "release", agent_id: "ann", acquired_with: "k" }, 5, "acquired_with"],
  ];
  test.each(calls)("%s is refused in words, and the next one is heard", async (_, message, id, field) => {
    const { port, manager } = await running();
    const caller = await RawCaller.to(port);
    caller.say(message);
    const { error } = await caller.hears((said) => said.error !== undefined);
    expect({ id: caller.heard[0]?.id, field: error?.field, code: error?.code }).toEqual({
      id,
      field,
      code: "invalid",
    });
    expect((await caller.call("ping")).result).toEqual({});
    expect(await manager.getLockCount()).toBe(0);
  });

  test("nested as deep as a frame allows is refused like any other, first or later", async () => {
    const { port } = await running();
    const deep = `${"[".repeat(30_000)}${"]".repeat(30_000)}`;
    for (const frame of [
      `[${deep}]`,
      `{"hello":${deep}}`,
      `{"id":1,"op":"acquire","metadata":${deep}}`,
      `{"op":${deep}}`,
    ]) {
      const caller = await RawCaller.to(port);
      caller.socket.send(frame);
      expect((await caller.hears((said) => said.error !== undefined)).error?.code).toBe("invalid");
    }
    expect((await (await RawCaller.to(port)).call("ping")).result).toEqual({});
  });

  test("a hello with others in its frame, or with something wrong, ends the connection", async () => {
    const { port } = await running();
    for (const hello of [
      [{ hello: {} }, { id: 1, op: "ping" }],
      { hello: { grace_ms: 60_001 } },
      { hello: { seen: -1 } },
      { hello: null },
    ]) {
      const caller = await RawCaller.to(port);
      caller.say(hello);
      expect((await caller.hears((said) => said.id === null)).error).toMatchObject({ code: "invalid" });
      expect(await caller.closed).toBe(1008);
    }
  });

  test("an id is taken as long as an acquire of that id waits", async () => {
    const { port, manager } = await running();
    await manager.acquireLock("/a", "bob");
    const caller = await RawCaller.to(port);
    const wait = { id: 7, op: "acquire", resource_path: "/a", timeout: "1h" };
    caller.say({ ...wait, agent_id: "ann" });
    caller.say({ ...wait, agent_id: "cat" });
    expect((await caller.answerTo(7)).error).toMatchObject({ code: "invalid", field: "id" });
    expect(await queueLength(manager, "/a")).toBe(1);
    caller.socket.terminate();
    await until(async () => (await queueLength(manager, "/a")) === 0);
  });

  test("an acquire whose id a call before it has as well ends with its caller all the same", async () => {
    const { port, manager } = await running();
    await manager.acquireLock("/a", "bob");
    const caller = await RawCaller.to(port);
    caller.say([
      { id: 7, op: "stats" },
      { id: 7, op: "acquire", resource_path: "/a", agent_id: "ann", timeout: "for ever" },
    ]);
    expect((await caller.answerTo(7)).result).toMatchObject({ locks: 1 });
    await until(async () => (await queueLength(manager, "/a")) === 1);
    caller.socket.terminate();
    await until(async () => (await queueLength(manager, "/a")) === 0);
    expect(await manager.getStats()).toMatchObject({ locks: 1, waiters: 0 });
  });
});

describe("limits of one session", () => {
  test("20,000 calls without an answer, then more are refused until some are answered", async () => {
    const manager = await createLockManager({}, "memory:");
    onTestFinished(() => manager.close());
    const finish = latch();
    const slow = intercept(manager, {
      getStats: async () => {
        await finish.opened;
        return manager.getStats();
      },
    });
    const { port } = await running({ manager: slow });
    const caller = await RawCaller.to(port);
    const mostCalls = 20_000;
    const perFrame = 1_000;
    for (let first = 1; first <= mostCalls; first += perFrame)
      caller.say(Array.from({ length: perFrame }, (_, n) => ({ id: first + n, op: "stats" })));
    caller.say({ id: mostCalls + 1, op: "ping" });
    const { error } = await caller.answerTo(mostCalls + 1);
    expect(error).toMatchObject({ code: "limit_exceeded", limit: mostCalls });
    expect(caller.heard).toHaveLength(1);
    finish.open();
    expect((await caller.answerTo(mostCalls)).result).toMatchObject({ locks: 0 });
    caller.say({ id: 0, op: "ping" });
    expect((await caller.answerTo(0)).result).toEqual({});
    expect(caller.heard).toHaveLength(mostCalls + 2);
  });

  test("100 subscriptions, then more are refused until one ends", async () => {
    const { port } = await running();
    const caller = await RawCaller.to(port);
    const answers = await Promise.all(
      Array.from({ length: 101 }, (_, n) => caller.call("subscribe", { subscription: n })),
    );
    expect(answers.filter(({ error }) => error !== undefined)).toEqual([answers[100]]);
    expect(answers[100]?.error).toMatchObject({ code: "limit_exceeded", limit: 100 });
    await caller.call("unsubscribe", { subscription: 3 });
    expect((await caller.call("subscribe", { subscription: 100 })).error).toBeUndefined();
    // One of the same number takes its place.
    expect((await caller.call("subscribe", { subscription: 100 })).error).toBeUndefined();
  });
});

describe("the heartbeat", () => {
  test("ends the connection of whoever answers no ping, and of nobody else", async () => {
    const clock = new ManualClock();
    const { port } = await running({ clock });
    const silent = await RawCaller.to(port, { autoPong: false });
    const sound = await RawCaller.to(port);
    await Promise.all([silent.call("ping"), sound.call("ping")]);
    const pinged = once(sound.socket, "ping");
    await clock.advance(15_000);
    await pinged;
    // Its pong has arrived before this, which is answered.
    await sound.call("ping");
    await clock.advance(15_000);
    expect(await silent.closed).toBe(1006);
    expect((await sound.call("ping")).result).toEqual({});
  });

  test("whoever floods the server with pings takes nothing from the others, and reads the answers or is cut off", async () => {
    const { port } = await running();
    const [reader, deaf, other] = [
      await RawCaller.to(port),
      await RawCaller.to(port),
      await RawCaller.to(port),
    ];
    deaf.socket.pause();
    for (let n = 0; n < 50_000; n++) deaf.socket.ping("x".repeat(125));
    for (let round = 0; round < 50; round++) {
      for (let n = 0; n < 50; n++) reader.socket.ping("x".repeat(125));
      await reader.call("ping");
    }
    expect((await other.call("ping")).result).toEqual({});
    deaf.socket.resume();
    expect(await deaf.closed).toBe(1006);
  });
});
