/** Anything at all over the WebSocket: every call is answered in the one form, nothing is unexpected, and the server lives on. */
import { expect, onTestFinished, test } from "vitest";
import { callSchemas } from "../../src/protocol/wire.js";
import { oddTexts } from "../support/odd-texts.js";
import { seededRandom } from "../support/seeded-random.js";
import { keptLog } from "./kept-log.js";
import { RawCaller } from "./raw-caller.js";
import { startTestServer } from "./running-server.js";

const seed = Number(process.env["FUZZ_SEED"] ?? 1);
const frames = 3_000;
const mostInFrame = 8;

const ops = Object.keys(callSchemas);
const texts = [...oddTexts, "30s", "5ms", "for ever", "5x"];
const numbers = [0, -0, 1, -1, 1.5, 7, 2 ** 31, 2 ** 53, 1e300, -1e300];
/** What a right call has, so that some get beyond the first check. */
const right: Record<string, readonly unknown[]> = {
  resource_path: ["/a", "/a/b", "/c"],
  resource_paths: [["/a", "/c"], ["/b"], []],
  agent_id: ["ann", "bob", "cat"],
  mode: ["shared", "exclusive"],
  scope: ["tree", "resource"],
  ttl: ["50ms", "1s", 30_000],
  timeout: [0, "5ms", "20ms"],
  locks: [[{ resource_path: "/a", lock_id: "x" }], [{ resource_path: "/a" }]],
  all: [true],
  force: [true, false],
  reason: ["because"],
  bound: [true, false],
  subscription: [1, 2, 3],
  call: [1, 2, 3, 4, 5],
  prefix: ["/a", "/"],
  types: [["acquired"], []],
  since: [0, 5],
  limit: [1, 1_000],
  metadata: [{ a: "b" }, JSON.parse('{"__proto__":"x"}')],
};

test(`Whatever is sent is answered, and nothing is unexpected (${frames} frames, FUZZ_SEED=${seed}).`, {
  timeout: 120_000,
}, async () => {
  const log = keptLog("warn");
  const api = await startTestServer({ logger: log.logger });
  onTestFinished(() => api[Symbol.asyncDispose]());
  const { frame } = makers(seededRandom(seed));
  const codes = new Map<string, number>();
  const expected = new Set<number>();
  let next = 0;
  const nextId = (): number => {
    expected.add(++next);
    return next;
  };
  let caller = await RawCaller.greeting(api.port);
  for (let n = 0; n < frames; n++) {
    if (n % 100 === 50) {
      await caller.answerTo(ask());
      // Something else than JSON, which ends the connection; or a connection that breaks, whose session goes on.
      if (n % 200 === 50) caller.socket.send("no JSON");
      else caller.socket.terminate();
      await caller.closed;
      tally();
      const { session, seen } = caller;
      caller = await RawCaller.greeting(api.port, { session, seen });
    }
    caller.say(frame(nextId));
    if (n % 20 === 0) {
      await caller.answerTo(ask());
      caller.say({ seen: caller.seen });
    }
  }
  const isEverythingAnswered = (): boolean => {
    caller.say({ seen: caller.seen });
    tally();
    return expected.size === 0;
  };
  await expect.poll(isEverythingAnswered, { timeout: 20_000 }).toBe(true);
  console.log(`seed ${seed}: ${JSON.stringify(Object.fromEntries(codes))}`);
  for (const code of ["result", "invalid", "held"])
    expect(codes.get(code) ?? 0, `${code}`).toBeGreaterThan(50);
  expect(codes.has("outcome_unknown")).toBe(false);
  expect(log.entries()).toEqual([]);
  expect((await api.get("/readyz")).status).toBe(200);
  expect((await (await RawCaller.to(api.port)).call("stats")).result).toMatchObject({
    locks: expect.any(Number),
  });

  function ask(): number {
    const id = nextId();
    caller.say({ id, op: "ping" });
    return id;
  }

  /** Takes off the list what was answered. */
  function tally(): void {
    for (const said of caller.heard.splice(1)) {
      const code = said.error?.code ?? (said.result === undefined ? undefined : "result");
      if (code === undefined) continue;
      codes.set(code, (codes.get(code) ?? 0) + 1);
      if (typeof said.id === "number") expected.delete(said.id);
    }
  }
});

function makers(random: () => number) {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;

  function value(depth: number): unknown {
    const kind = random();
    if (kind < 0.35) return pick(texts);
    if (kind < 0.6) return pick(numbers);
    if (kind < 0.8 || depth === 0) return pick([null, true, false]);
    if (kind < 0.9) return Array.from({ length: Math.floor(random() * 4) }, () => value(depth - 1));
    return Object.fromEntries([
      [pick([...texts, ...Object.keys(right)]), value(depth - 1)],
      [pick(Object.keys(right)), value(depth - 1)],
    ]);
  }

  function call(nextId: () => number): unknown {
    if (random() < 0.1) return { ...(value(2) as object | null), ...(random() < 0.5 && { seen: value(0) }) };
    const op = random() < 0.95 ? pick(ops) : value(1);
    const message: Record<string, unknown> = { op };
    const schema = Object.entries(callSchemas).find(([name]) => name === op)?.[1];
    const names = Object.keys(schema?.shape ?? right);
    for (const name of names) {
      const values = right[name];
      if (values !== undefined && random() < 0.6) message[name] = pick(values);
    }
    if (random() < 0.3) message[pick([...Object.keys(right), "more", "toString"])] = value(2);
    message["id"] = random() < 0.97 ? nextId() : pick([null, "x", 1.5, -1, 2 ** 60, {}]);
    return message;
  }

  function frame(nextId: () => number): unknown {
    const messages = Array.from({ length: Math.ceil(random() * mostInFrame) }, () => call(nextId));
    return messages.length === 1 && random() < 0.5 ? messages[0] : messages;
  }

  return { value, frame };
}
