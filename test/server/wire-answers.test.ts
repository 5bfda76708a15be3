/** Whatever is asked, the WebSocket answers what HTTP answers: the same bodies, the same problems. */
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { RawCaller } from "./raw-caller.js";
import { startTestServer, type TestServer } from "./running-server.js";

interface Case {
  readonly name: string;
  readonly op: string;
  readonly fields: Readonly<Record<string, unknown>>;
  /** For `GET`; else the fields are the body of a `POST`. */
  readonly get?: boolean;
  readonly path: string;
}

const post = (op: string, path: string, name: string, fields: Case["fields"]): Case => ({
  name,
  op,
  fields,
  path,
});
const acquire = (name: string, fields: Case["fields"]): Case => post("acquire", "/v1/locks", name, fields);
const several = (name: string, fields: Case["fields"]): Case =>
  post("acquire_multiple", "/v1/locks", name, fields);
const get = (op: string, path: string, name: string, fields: Case["fields"] = {}): Case => ({
  name,
  op,
  fields,
  path,
  get: true,
});

/** In this order, on one server each: what one leaves, the next one finds. */
const cases: readonly Case[] = [
  acquire("a free path", {
    resource_path: "/a",
    agent_id: "ann",
    ttl: "10m",
    reason: "why",
    metadata: { a: "b" },
  }),
  acquire("the same again", { resource_path: "/a", agent_id: "ann", ttl: "20m" }),
  acquire("in another mode", { resource_path: "/a", agent_id: "ann", mode: "shared" }),
  acquire("a held path", { resource_path: "/a", agent_id: "bob" }),
  acquire("a held path, for a while", { resource_path: "/a", agent_id: "bob", timeout: "5ms" }),
  acquire("a tree", { resource_path: "/t", agent_id: "ann", scope: "tree", mode: "shared" }),
  acquire("below a tree", { resource_path: "/t/x", agent_id: "bob" }),
  acquire("a bad path", { resource_path: "/a/../b", agent_id: "ann" }),
  acquire("no agent", { resource_path: "/a" }),
  acquire("a bad ttl", { resource_path: "/a", agent_id: "ann", ttl: "soon" }),
  acquire("two timeouts", { resource_path: "/a", agent_id: "ann", timeout: "1s", timeout_ms: 5 }),
  acquire("a bad wait", { resource_path: "/a", agent_id: "ann", timeout: "25h" }),
  acquire("an unknown field", { resource_path: "/a", agent_id: "ann", owner: "x" }),
  acquire("bad metadata", { resource_path: "/a", agent_id: "ann", metadata: { a: 1 } }),
  several("several free ones", { resource_paths: ["/m/1", "/m/2"], agent_id: "ann" }),
  several("some of them held", { resource_paths: ["/m/3", "/a"], agent_id: "bob" }),
  several("none", { resource_paths: [], agent_id: "ann" }),
  several("more than allowed", { resource_paths: Array(51).fill("/x"), agent_id: "ann" }),
  several("no text among them", { resource_paths: ["/x", 7], agent_id: "ann" }),
  post("check", "/v1/locks/check", "what is held", {
    resource_paths: ["/a", "/free", "/t/x"],
    agent_id: "bob",
  }),
  post("check", "/v1/locks/check", "nothing", { resource_paths: [], agent_id: "bob" }),
  post("check", "/v1/locks/check", "no list", { resource_paths: "/a", agent_id: "bob" }),
  get("list", "/v1/locks", "everything"),
  get("list", "/v1/locks?prefix=/m&limit=1", "a page", { prefix: "/m", limit: 1 }),
  get("list", "/v1/locks?limit=0", "an impossible page", { limit: 0 }),
  get("list", "/v1/locks?cursor=x", "a bad cursor", { cursor: "x" }),
  get("resource", "/v1/resources/a", "one that is held", { resource_path: "/a" }),
  get("resource", "/v1/resources/free", "one that is free", { resource_path: "/free" }),
  get("agent", "/v1/agents/ann", "one that holds", { agent_id: "ann" }),
  get("agent", "/v1/agents/nobody", "one that does not", { agent_id: "nobody" }),
  get("stats", "/v1/stats", "all"),
  post("extend", "/v1/locks/extend", "by id", {
    agent_id: "ann",
    ttl: "30m",
    locks: [{ resource_path: "/a", lock_id: "$" }],
  }),
  post("extend", "/v1/locks/extend", "by another", {
    agent_id: "bob",
    locks: [{ resource_path: "/a", lock_id: "$" }],
  }),
  post("extend", "/v1/locks/extend", "by an unknown id", {
    agent_id: "ann",
    locks: [{ resource_path: "/a", lock_id: "none" }],
  }),
  post("extend", "/v1/locks/extend", "all", { agent_id: "ann", all: true }),
  post("extend", "/v1/locks/extend", "nothing in particular", { agent_id: "ann" }),
  post("release", "/v1/locks/release", "by another", {
    agent_id: "bob",
    locks: [{ resource_path: "/a", lock_id: "$" }],
  }),
  post("release", "/v1/locks/release", "by an unknown id", {
    agent_id: "ann",
    locks: [{ resource_path: "/a", lock_id: "none" }],
  }),
  post("release", "/v1/locks/release", "by id", {
    agent_id: "ann",
    locks: [{ resource_path: "/a", lock_id: "$" }],
  }),
  post("release", "/v1/locks/release", "once more", {
    agent_id: "ann",
    locks: [{ resource_path: "/a", lock_id: "$" }],
  }),
  post("release", "/v1/locks/release", "by force without a reason", {
    force: true,
    locks: [{ resource_path: "/t" }],
  }),
  post("release", "/v1/locks/release", "by force", {
    force: true,
    reason: "x",
    locks: [{ resource_path: "/t" }],
  }),
  post("release", "/v1/locks/release", "all and some", { agent_id: "ann", all: true, locks: [] }),
  post("release", "/v1/locks/release", "all", { agent_id: "ann", all: true }),
];

let [overHttp, overWire]: TestServer[] = [];
let caller: RawCaller;
beforeAll(async () => {
  overHttp = await startTestServer();
  overWire = await startTestServer();
});
afterAll(async () => {
  await overHttp?.[Symbol.asyncDispose]();
  await overWire?.[Symbol.asyncDispose]();
});

test("every call is answered alike", async () => {
  if (overHttp === undefined || overWire === undefined) throw new Error("No servers.");
  caller = await RawCaller.to(overWire.port);
  onTestFinished(() => caller.socket.terminate());
  for (const { name, op, fields, path, get: isGet } of cases) {
    const lockIds = await Promise.all([overHttp, overWire].map(({ manager }) => idOfA(manager)));
    const [here, there] = lockIds.map((id) =>
      JSON.parse(JSON.stringify(fields).replaceAll('"$"', `"${id}"`)),
    );
    const http = isGet === true ? await overHttp.get(path) : await overHttp.post(path, here);
    const { result, error } = await caller.call(op, there);
    expect(same(result ?? error), `${op}: ${name}`).toEqual(same(http.json));
    if (error !== undefined) expect(error.status).toBe(http.status);
    else expect(http.status, `${op}: ${name}`).toBeLessThan(300);
  }
  expect((await caller.call("metrics")).result).toMatchObject({
    text: expect.stringContaining("engram_active_locks 0"),
  });
  expect((await overHttp.get("/metrics")).text).toContain("engram_active_locks 0");
});

async function idOfA(manager: TestServer["manager"]): Promise<string> {
  known.set(manager, (await manager.getLock("/a"))?.lockId ?? known.get(manager) ?? "none");
  return known.get(manager) ?? "";
}
const known = new Map<TestServer["manager"], string>();

/** Without what differs between two servers and two moments: ids, times, and how HTTP alone names a request. */
function same(value: unknown): unknown {
  const text = JSON.stringify(value, (name, each: unknown) => {
    if (
      /^(lock_id|ticket|fencing_token|.*_at|since|.*_since|cursor|next_cursor|request_id)$/.test(name) &&
      each !== null
    )
      return name === "request_id" ? undefined : name;
    if (name.endsWith("_ms") && typeof each === "number") return Math.round(each / 20_000);
    return each;
  });
  return JSON.parse(
    text
      .replace(/[0-9a-f-]{32,36}/g, "ID")
      .replace(/until \S+ \(in \w+\)/g, "until then")
      .replace(/only [a-z_, ]+/g, "only those")
      .replace(/after waiting \d+ms/g, "after a while"),
  );
}
