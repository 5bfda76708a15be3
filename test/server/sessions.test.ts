/** Sessions of the WebSocket: what outlives a connection, for how long, and that nothing is done twice. */
import { once } from "node:events";
import { describe, expect, onTestFinished, test } from "vitest";
import { ManualClock } from "../support/manual-clock.js";
import { RawCaller } from "./raw-caller.js";
import { queueLength, startTestServer, type TestServer, until } from "./running-server.js";

async function running(options: Parameters<typeof startTestServer>[0] = {}): Promise<TestServer> {
  const api = await startTestServer(options);
  onTestFinished(() => api[Symbol.asyncDispose]());
  return api;
}

/** A connection that breaks without a word. */
async function breakOff(caller: RawCaller): Promise<void> {
  caller.socket.terminate();
  await caller.closed;
}

describe("a session", () => {
  test("goes on over another connection: what was not seen is sent again, and what waits still waits", async () => {
    const { port, manager } = await running();
    const held = await manager.acquireLock("/a", "bob");
    const first = await RawCaller.greeting(port);
    first.say({ id: 1, op: "acquire", resource_path: "/a", agent_id: "ann", timeout: "1h" });
    first.say({ id: 2, op: "ping" });
    await first.answerTo(2);
    await breakOff(first);
    await held.release();
    const second = await RawCaller.greeting(port, { session: first.session, seen: 0 });
    expect(second.heard[0]?.welcome).toMatchObject({ resumed: true, seen: 2, session: first.session });
    expect((await second.answerTo(1)).result?.locks).toMatchObject([{ agent_id: "ann" }]);
    // As nobody said that its answer was seen.
    await second.answerTo(2);
    expect(await manager.getLock("/a")).toMatchObject({ agentId: "ann" });
  });

  test("does not send again what was seen", async () => {
    const { port } = await running();
    const first = await RawCaller.greeting(port);
    await first.call("ping");
    await first.call("stats");
    await breakOff(first);
    const second = await RawCaller.greeting(port, { session: first.session, seen: 1 });
    second.say({ id: 9, op: "ping" });
    await second.answerTo(9);
    expect(second.heard.map(({ id }) => id)).toEqual([undefined, 2, 9]);
  });

  test("hears nothing that comes late over a connection which another took the place of", async () => {
    const { port, manager } = await running();
    const first = await RawCaller.greeting(port);
    await first.call("ping");
    // It hears no more, so it does not know that its time is over.
    first.socket.pause();
    const second = await RawCaller.greeting(port, { session: first.session, seen: 1 });
    first.say({ id: 2, op: "acquire", resource_path: "/late", agent_id: "ann" });
    first.socket.resume();
    expect(await first.closed).toBe(1008);
    await second.call("ping");
    expect(await manager.getLockCount()).toBe(0);
    await breakOff(second);
    const third = await RawCaller.greeting(port, { session: first.session, seen: 2 });
    expect(third.heard[0]?.welcome).toMatchObject({ resumed: true, seen: 2 });
  });

  test("is over after its grace time: waits end, and what was granted meanwhile is given back", async () => {
    const clock = new ManualClock();
    const { port, manager } = await running({ clock });
    const held = await manager.acquireLock("/a", "bob");
    await manager.acquireLock("/b", "bob");
    const caller = await RawCaller.greeting(port, { grace_ms: 2_000 });
    caller.ask("acquire", { resource_path: "/a", agent_id: "ann", timeout: "1h", ttl: "1h" });
    caller.ask("acquire", { resource_path: "/b", agent_id: "ann", timeout: "1h" });
    await until(async () => (await manager.getStats()).waiters === 2);
    const { pending } = clock;
    await breakOff(caller);
    await until(() => clock.pending > pending);
    await held.release();
    await until(async () => (await manager.getLock("/a"))?.agentId === "ann");
    await clock.advance(1_990);
    expect(await queueLength(manager, "/b")).toBe(1);
    await clock.advance(20);
    await until(async () => (await manager.getStats()).waiters === 0);
    await until(async () => (await manager.getLock("/a")) === undefined);
    const next = await RawCaller.greeting(port, { session: caller.session, seen: 0 });
    expect(next.heard[0]?.welcome).toMatchObject({ resumed: false, seen: 0 });
  });

  test("is over at once when its caller says goodbye", async () => {
    const { port, manager } = await running();
    await manager.acquireLock("/a", "bob");
    const caller = await RawCaller.greeting(port);
    caller.ask("acquire", { resource_path: "/a", agent_id: "ann", timeout: "1h" });
    await until(async () => (await queueLength(manager, "/a")) === 1);
    caller.socket.close(1000);
    await until(async () => (await queueLength(manager, "/a")) === 0);
    const next = await RawCaller.greeting(port, { session: caller.session, seen: 0 });
    expect(next.heard[0]?.welcome).toMatchObject({ resumed: false });
  });
});

describe("a lock taken with `bound: true`", () => {
  const mine = { agent_id: "ann", ttl: "1h", bound: true };

  test("ends when its caller has been gone for its grace time, and others do not", async () => {
    const clock = new ManualClock();
    const { port, manager } = await running({ clock });
    const caller = await RawCaller.greeting(port, { grace_ms: 2_000 });
    await caller.call("acquire", { ...mine, resource_path: "/bound" });
    await caller.call("acquire_multiple", { ...mine, resource_paths: ["/b", "/c"] });
    await caller.call("acquire", { ...mine, resource_path: "/free", bound: false });
    const { pending } = clock;
    await breakOff(caller);
    await until(() => clock.pending > pending);
    await clock.advance(1_990);
    expect(await manager.getLockCount()).toBe(4);
    await clock.advance(20);
    await until(async () => (await manager.getLockCount()) === 1);
    expect(await manager.getLock("/free")).toMatchObject({ agentId: "ann" });
  });

  test("stays when its caller comes back in time", async () => {
    const clock = new ManualClock();
    const { port, manager } = await running({ clock });
    const first = await RawCaller.greeting(port, { grace_ms: 2_000 });
    await first.call("acquire", { ...mine, resource_path: "/a" });
    const { pending } = clock;
    await breakOff(first);
    await until(() => clock.pending > pending);
    await clock.advance(1_900);
    const second = await RawCaller.greeting(port, { session: first.session, seen: 1 });
    await clock.advance(5_000);
    await second.call("ping");
    expect(await manager.getLock("/a")).toMatchObject({ agentId: "ann" });
    expect(second.heard.filter(({ lost }) => lost !== undefined)).toEqual([]);
  });

  test("ends with the connection of a caller without a session", async () => {
    const { port, manager } = await running();
    const caller = await RawCaller.to(port);
    await caller.call("acquire", { ...mine, resource_path: "/a" });
    expect(await manager.getLockCount()).toBe(1);
    await breakOff(caller);
    await until(async () => (await manager.getLockCount()) === 0);
  });

  test("that was given back, and is another's by now, stays that one's", async () => {
    const { port, manager } = await running();
    const caller = await RawCaller.to(port);
    const { result } = await caller.call("acquire", { ...mine, resource_path: "/a" });
    const { lock_id = "" } = result?.locks[0] ?? {};
    await caller.call("release", { agent_id: "ann", locks: [{ resource_path: "/a", lock_id }] });
    await manager.acquireLock("/a", "bob");
    await breakOff(caller);
    const other = await RawCaller.to(port);
    await other.call("ping");
    await until(async () => (await manager.getStats()).waiters === 0);
    expect(await manager.getLock("/a")).toMatchObject({ agentId: "bob" });
  });
});

describe("a server that closes", () => {
  test("says so to everybody, and gives back what is bound", async () => {
    const { port, manager, server } = await running();
    const callers = await Promise.all(Array.from({ length: 5 }, () => RawCaller.greeting(port)));
    await callers[0]?.call("acquire", { agent_id: "ann", ttl: "1h", bound: true, resource_path: "/a" });
    const ends = callers.map((caller) => once(caller.socket, "close"));
    await server.drain();
    expect((await Promise.all(ends)).map(([code]) => code)).toEqual(callers.map(() => 1001));
    expect(await manager.getLockCount()).toBe(0);
  });
});
