/** Callers of the WebSocket that ask for more than they read (F31), and those that read all they ask for. */
import { describe, expect, onTestFinished, test } from "vitest";
import { connectLockManager } from "../../src/client/node.js";
import type { LockManager } from "../../src/lock-manager.js";
import { ManualClock } from "../support/manual-clock.js";
import { keptLog } from "./kept-log.js";
import { RawCaller } from "./raw-caller.js";
import { queueLength, startTestServer, type TestServer, until } from "./running-server.js";

const mib = 2 ** 20;
/** What a caller may leave unread, what the kernel takes of it, and as much again for what is made of it. */
const mostGrowth = 64 * mib;

async function running(options: Parameters<typeof startTestServer>[0] = {}): Promise<TestServer> {
  const api = await startTestServer({ config: { maxLocksPerAgent: 100_000 }, ...options });
  onTestFinished(() => api[Symbol.asyncDispose]());
  return api;
}

/** A page of a list with a thousand of these has more than a mebibyte. */
async function holdMany(manager: LockManager, count: number): Promise<void> {
  const metadata = { note: "x".repeat(1_000) };
  for (let n = 0; n < count; n += 50) {
    const paths = Array.from({ length: 50 }, (_, index) => `/many/${n + index}`);
    await manager.acquireMultipleLocks(paths, "holder", { ttl: "1h", metadata });
  }
}

/** Takes and gives back one lock so many times. */
async function makeEvents(manager: LockManager, count: number): Promise<void> {
  const metadata = { note: "x".repeat(1_000) };
  for (let n = 0; n < count / 2; n++)
    await (await manager.acquireLock(`/events/${n % 10}`, "ann", { metadata })).release();
}

describe("a caller that does not read", () => {
  test("and makes calls all the same is cut off, and others are served meanwhile", {
    timeout: 60_000,
  }, async () => {
    const log = keptLog();
    const { port, manager } = await running({ logger: log.logger });
    await holdMany(manager, 1_000);
    const before = process.memoryUsage().rss;
    const [deaf, other] = [await RawCaller.greeting(port), await RawCaller.greeting(port)];
    // Its kernel takes what it does not read.
    deaf.socket.pause();
    let most = 0;
    let id = 0;
    while (!log.entries().some(({ msg }) => msg === "a caller that does not read is cut off")) {
      deaf.say(Array.from({ length: 500 }, () => ({ id: ++id, op: "ping" })));
      deaf.say(Array.from({ length: 100 }, () => ({ id: ++id, op: "list", limit: 1_000 })));
      expect((await other.call("acquire", { resource_path: "/b", agent_id: "bob" })).error).toBeUndefined();
      most = Math.max(most, process.memoryUsage().rss - before);
    }
    deaf.socket.resume();
    expect(await deaf.closed).toBe(1006);
    expect(most).toBeLessThan(4 * mostGrowth);
    expect((await other.call("ping")).result).toEqual({});
  });

  test("gets events only as far as it reads, and one that reads gets them all", {
    timeout: 60_000,
  }, async () => {
    const { port, manager } = await running();
    const [deaf, reader] = [await RawCaller.greeting(port), await RawCaller.to(port)];
    for (const caller of [deaf, reader])
      await caller.call("subscribe", { subscription: 1, types: ["acquired"] });
    deaf.socket.pause();
    const before = process.memoryUsage().rss;
    const count = 20_000;
    await makeEvents(manager, count);
    const isNews = ({ subscription }: { readonly subscription?: number }): boolean => subscription === 1;
    await expect.poll(() => reader.heard.filter(isNews).length, { timeout: 30_000 }).toBe(count / 2);
    expect(process.memoryUsage().rss - before).toBeLessThan(4 * mostGrowth);
    // Nothing was thrown away for it: it is told that it missed some.
    deaf.socket.resume();
    deaf.say({ seen: 1_000_000 });
    await deaf.hears(({ event }) => event?.type === "reset");
    expect((await deaf.call("ping")).result).toEqual({});
  });
});

describe("all callers together", () => {
  /** More lists than are told to whoever has not seen any: two lie unseen, and eight more are made. That is 1.3 MB. */
  async function leaveUnread(caller: RawCaller): Promise<void> {
    caller.say(Array.from({ length: 20 }, (_, n) => ({ id: 100 + n, op: "list", limit: 100 })));
    await caller.answerTo(101);
  }

  test("may leave only so much unread: then who is gone for longest is not waited for any more", async () => {
    const clock = new ManualClock();
    const { port, manager } = await running({ clock, maxUnreadBytes: 3_000_000 });
    await holdMany(manager, 100);
    const callers = await Promise.all(Array.from({ length: 4 }, () => RawCaller.greeting(port)));
    const [empty, first, second, here] = callers as [RawCaller, RawCaller, RawCaller, RawCaller];
    for (const [n, caller] of callers.entries())
      await caller.call("acquire", { resource_path: `/bound/${n}`, agent_id: "ann", ttl: "1h", bound: true });
    empty.say({ seen: empty.seen });
    await manager.acquireLock("/wanted", "holder");
    first.say({ id: 9, op: "acquire", resource_path: "/wanted", agent_id: "ann", timeout: "1h" });
    for (const caller of [empty, first, second]) {
      if (caller !== empty) await leaveUnread(caller);
      const { pending } = clock;
      caller.socket.terminate();
      await until(() => clock.pending > pending);
    }
    expect(await queueLength(manager, "/wanted")).toBe(1);
    await leaveUnread(here);
    await until(async () => (await manager.getLock("/bound/1")) === undefined);
    await until(async () => (await queueLength(manager, "/wanted")) === 0);
    for (const caller of [empty, second]) {
      const { session, seen } = caller;
      const back = await RawCaller.greeting(port, { session, seen });
      expect(back.heard[0]?.welcome).toMatchObject({ resumed: true });
    }
    const anew = await RawCaller.greeting(port, { session: first.session, seen: first.seen });
    expect(anew.heard[0]?.welcome).toMatchObject({ resumed: false });
    expect((await here.call("ping")).result).toEqual({});
    const { locks } = await manager.listLocks({ prefix: "/bound" });
    expect(locks.map(({ resourcePath }) => resourcePath)).toEqual(["/bound/0", "/bound/2", "/bound/3"]);
  });

  test("may have only so much of what they ask kept until they read", async () => {
    const { port, manager } = await running({ maxUnreadBytes: 4_000_000 });
    await holdMany(manager, 100);
    const [slow, other] = [await RawCaller.greeting(port), await RawCaller.greeting(port)];
    await leaveUnread(slow);
    const paths = Array.from({ length: 60 }, (_, n) => `/${n}/${"x".repeat(240)}/${"x".repeat(240)}`);
    for (let n = 0; n < 150; n++)
      slow.say({ id: 1_000 + n, op: "check", agent_id: "ann", resource_paths: paths });
    expect([1006, 1013]).toContain(await slow.closed);
    expect((await other.call("ping")).result).toEqual({});
  });

  test("may leave only so much unread: then who reads slowest is cut off, and not who reads", async () => {
    const { port, manager } = await running({ maxUnreadBytes: 1_700_000 });
    await holdMany(manager, 100);
    const slow = await RawCaller.greeting(port);
    const readers = await Promise.all(Array.from({ length: 4 }, () => RawCaller.greeting(port)));
    await leaveUnread(slow);
    for (const reader of readers) {
      for (let n = 0; n < 2; n++)
        expect((await reader.call("list", { limit: 100 })).result?.locks).toHaveLength(100);
    }
    expect([1006, 1013]).toContain(await slow.closed);
    for (const reader of readers) expect((await reader.call("ping")).result).toEqual({});
  });
});

describe("a caller that reads", () => {
  test("may ask for many long lists at one time", { timeout: 60_000 }, async () => {
    const { url, manager } = await running();
    await holdMany(manager, 1_000);
    const remote = connectLockManager(url);
    onTestFinished(() => remote.close());
    const pages = await Promise.all(Array.from({ length: 40 }, () => remote.listLocks({ limit: 1_000 })));
    expect(pages.map(({ locks }) => locks.length)).toEqual(Array(40).fill(1_000));
  });

  test("gets a long answer by hand too, without a word in between", { timeout: 60_000 }, async () => {
    const { port, manager } = await running();
    await holdMany(manager, 5_000);
    const caller = await RawCaller.to(port);
    caller.say([
      { id: 1, op: "agent", agent_id: "holder" },
      ...Array.from({ length: 20 }, (_, n) => ({ id: 2 + n, op: "list", limit: 1_000 })),
    ]);
    expect((await caller.answerTo(1)).result?.locks).toHaveLength(5_000);
    await Promise.all(Array.from({ length: 20 }, (_, n) => caller.answerTo(2 + n)));
  });

  test("gets the events that came in a burst without waiting for the next one", async () => {
    const { url, manager } = await running();
    const remote = connectLockManager(url);
    onTestFinished(() => remote.close());
    const events = remote.events({ types: ["acquired"] });
    await remote.getStats();
    const count = 4_000;
    const began = performance.now();
    await makeEvents(manager, count);
    for (let n = 0; n < count / 2; n++)
      expect((await events.next()).value).toMatchObject({ type: "acquired" });
    // A client that waits for its next ping would take ten seconds.
    expect(performance.now() - began).toBeLessThan(9_000);
    await events.return?.();
  });
});
