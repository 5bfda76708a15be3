/** What the Redis store says of requests that a network or a server failed, and how it comes back. */
import { expect, test } from "vitest";
import type { StoreError } from "../../src/store/store.js";
import { listen } from "../conformance/cases/hints.js";
import { apply, attempt, failure, put, valueAt } from "../conformance/changes.js";
import { askRedis } from "../servers/redis.js";
import { entriesOnceReadable, keysOnceReadable, open, proxyTo, redis, shortLimits } from "./stage.js";

const unknown: Partial<StoreError> = expect.objectContaining({
  name: "StoreError",
  outcome: "unknown",
  retryable: true,
});
const none = failure({ retryable: true });

test("A commit that is cut on its way is of unknown outcome, and was not applied.", async ({ skip }) => {
  const server = await redis(skip);
  const proxy = await proxyTo(server.port);
  const store = await open(`redis://127.0.0.1:${proxy.port}`);
  proxy.requests("cut");
  await expect(store.commit([put("a")])).rejects.toThrow(unknown);
  proxy.restore();
  expect(await keysOnceReadable(store)).toEqual([]);
});

test("A commit whose reply is cut is of unknown outcome, and was applied once.", async ({ skip }) => {
  const server = await redis(skip);
  const proxy = await proxyTo(server.port);
  const store = await open(`redis://127.0.0.1:${proxy.port}`);
  const before = await apply(store, put("a", 1));
  proxy.replies("cut");
  await expect(store.commit([put("a", 2)])).rejects.toThrow(unknown);
  proxy.restore();
  const [entry] = await entriesOnceReadable(store);
  expect(entry).toMatchObject({ key: "a", value: 2 });
  expect(entry?.revision).toBeGreaterThan(before);
  const { revision } = await store.read({});
  expect(revision).toBe(entry?.revision);
});

test.for(["requests", "replies"] as const)(
  "On a half-open connection that swallows %s a request ends in time, and the next connection serves.",
  async (direction, { skip }) => {
    const server = await redis(skip);
    const proxy = await proxyTo(server.port);
    const store = await open(`redis://127.0.0.1:${proxy.port}`);
    await apply(store, put("before"));
    proxy[direction]("drop");
    const began = performance.now();
    await expect(store.commit([put("a")])).rejects.toThrow(unknown);
    await expect(store.read({})).rejects.toThrow(none);
    expect(performance.now() - began).toBeLessThan(4 * shortLimits.requestMs);
    proxy.restore();
    expect(await keysOnceReadable(store)).toEqual(direction === "replies" ? ["a", "before"] : ["before"]);
  },
);

test("A reply that takes a while is waited for.", async ({ skip }) => {
  const server = await redis(skip);
  const proxy = await proxyTo(server.port);
  const store = await open(`redis://127.0.0.1:${proxy.port}`);
  proxy.delay(100);
  expect(await attempt(store, put("a", 1))).toMatchObject({ applied: true });
  expect(await valueAt(store, "a")).toBe(1);
});

test("A server that is killed: what is under way is of unknown outcome, what comes later is not sent, and within a second of its return all is well.", async ({
  skip,
}) => {
  const server = await redis(skip, ["--appendonly", "yes", "--appendfsync", "always"]);
  const store = await open(server.url);
  await apply(store, put("a", 1));
  server.pause();
  const underWay = store.commit([put("b")]);
  await Promise.all([expect(underWay).rejects.toThrow(unknown), server.kill()]);
  await expect(store.commit([put("c")])).rejects.toThrow(none);
  await expect(store.read({})).rejects.toThrow(none);
  await server.restart();
  const back = performance.now();
  expect(await keysOnceReadable(store)).toContain("a");
  expect(performance.now() - back).toBeLessThan(1_000);
  expect(await attempt(store, put("d"))).toMatchObject({ applied: true });
});

test("A server that stops is given up on in time, and serves again when it goes on.", async ({ skip }) => {
  const server = await redis(skip);
  const store = await open(server.url);
  server.pause();
  await expect(store.commit([put("a")])).rejects.toThrow(unknown);
  server.resume();
  await keysOnceReadable(store);
  expect(await attempt(store, put("b"))).toMatchObject({ applied: true });
});

test("Nobody there: opening fails, and can be tried again.", async ({ skip }) => {
  const server = await redis(skip);
  await server.kill();
  await expect(open(server.url)).rejects.toThrow(none);
  const proxy = await proxyTo(server.port);
  await expect(open(`redis://127.0.0.1:${proxy.port}`)).rejects.toThrow(none);
  await server.restart();
  proxy.replies("drop");
  await expect(open(`redis://127.0.0.1:${proxy.port}`)).rejects.toThrow(none);
  expect(await keysOnceReadable(await open(server.url))).toEqual([]);
});

test("A commit given up on is of unknown outcome; a read is not.", async ({ skip }) => {
  const server = await redis(skip);
  const proxy = await proxyTo(server.port);
  const store = await open(`redis://127.0.0.1:${proxy.port}`);
  proxy.delay(100);
  const giveUp = new AbortController();
  const { signal } = giveUp;
  const [commit, read] = [store.commit([put("a")], { signal }), store.read({}, { signal })];
  giveUp.abort();
  await Promise.all([expect(commit).rejects.toThrow(unknown), expect(read).rejects.toThrow(none)]);
});

test("Closing leaves no connection, whatever state it is in.", async ({ skip }) => {
  const server = await redis(skip);
  const proxy = await proxyTo(server.port);
  const url = `redis://127.0.0.1:${proxy.port}`;
  const closings = {
    idle: async () => undefined,
    "half open": async () => proxy.replies("drop"),
    "not connected": async () => proxy.refuse(),
  };
  for (const [state, prepare] of Object.entries(closings)) {
    const store = await open(url);
    await store.subscribe(() => undefined);
    await prepare();
    const underWay = Promise.allSettled([store.commit([put(state)])]);
    await store.close();
    await underWay;
    proxy.restore();
    await expect.poll(() => proxy.connections, { message: state, interval: 5 }).toBe(0);
  }
});

test("Hints are heard again after their connection was cut, and after it went silent.", async ({ skip }) => {
  const server = await redis(skip);
  const proxy = await proxyTo(server.port);
  const listener = await open(`redis://127.0.0.1:${proxy.port}`);
  const speaker = await open(server.url);
  const ear = await listen(listener);
  const isHeardAgain = async (path: string): Promise<void> => {
    await expect
      .poll(
        async () => {
          await attempt(speaker, { announce: [path] });
          return ear.heard.includes(path);
        },
        { interval: 20, timeout: 6_000 },
      )
      .toBe(true);
  };
  proxy.cut();
  await isHeardAgain("/after/a/cut");
  proxy.requests("drop");
  proxy.replies("drop");
  const subscribers = (): Promise<unknown> =>
    askRedis(server.port, (asked) => asked.pubsub("NUMSUB", "{engram-lock:engram-lock}:hints"));
  await expect.poll(subscribers, { interval: 20, timeout: 6_000 }).toEqual([expect.anything(), 0]);
  proxy.restore();
  await isHeardAgain("/after/silence");
  await ear.close();
});
