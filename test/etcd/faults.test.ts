/** What etcd and the network may do in the middle of a commit: nothing is lost, nothing is doubled, and the outcome told is true. */
import { afterAll, afterEach, beforeAll, expect, type TestContext, test } from "vitest";
import type { Store } from "../../src/store/store.js";
import { listen } from "../conformance/cases/hints.js";
import { apply, change, entryAt, failure, put, valueAt } from "../conformance/changes.js";
import { etcdProgram, fresh, needEtcd, startEtcd } from "../servers/etcd.js";
import type { TestServer } from "../servers/server.js";
import type { TcpProxy } from "../servers/tcp-proxy.js";
import { failureOf, hasty, openFor, proxyTo, untilItFails, untilItWorks } from "./stage.js";

let server: TestServer;
beforeAll(async () => {
  if (etcdProgram !== undefined) server = await startEtcd();
}, 30_000);
afterEach(() => server?.resume());
afterAll(() => server?.stop());

async function stage(skip: TestContext["skip"]): Promise<{ store: Store; proxy: TcpProxy; direct: Store }> {
  needEtcd(skip);
  const proxy = await proxyTo(server.port);
  const direct = fresh(server.url);
  const store = await openFor(direct.replace(`:${server.port}`, `:${proxy.port}`), hasty);
  await apply(store, put("count", 0));
  return { store, proxy, direct: await openFor(direct) };
}

const unknown = { name: "StoreError", outcome: "unknown", retryable: true };
const none = { name: "StoreError", outcome: "none", retryable: true };

/** Counts up by one, as a manager would: whether an attempt of unknown outcome was applied is found out by reading. */
async function expectCountUp(store: Store, to: number): Promise<void> {
  await untilItWorks(async () => {
    const entry = await entryAt(store, "count");
    if (entry?.value === to) return;
    await store.commit([
      change({
        expect: [{ key: "count", revision: entry?.revision ?? 0 }],
        put: [{ key: "count", value: Number(entry?.value) + 1 }],
      }),
    ]);
    expect(await valueAt(store, "count")).toBe(to);
  }, 5_000);
}

test("A request that is cut on its way is of unknown outcome, and was not applied.", async ({ skip }) => {
  const { store, proxy, direct } = await stage(skip);
  proxy.requests("cut");
  expect(await failureOf(store.commit([put("count", 1)]))).toMatchObject(unknown);
  expect(await failureOf(store.read({}))).toMatchObject(none);
  proxy.restore();
  expect(await valueAt(direct, "count")).toBe(0);
  await expectCountUp(store, 1);
});

test("A reply that is cut leaves the outcome unknown; reading finds it applied, once.", async ({ skip }) => {
  const { store, proxy, direct } = await stage(skip);
  proxy.replies("cut");
  expect(await failureOf(store.commit([put("count", 1)]))).toMatchObject(unknown);
  proxy.restore();
  expect(await valueAt(store, "count")).toBe(1);
  await expectCountUp(store, 1);
  await expectCountUp(store, 2);
  expect(await valueAt(direct, "count")).toBe(2);
});

test("A half-open connection, to the server or from it, holds up nobody longer than the time limit.", async ({
  skip,
}) => {
  for (const [way, applied] of [
    ["requests", 0],
    ["replies", 1],
  ] as const) {
    const { store, proxy } = await stage(skip);
    proxy[way]("drop");
    const began = performance.now();
    expect(await failureOf(store.commit([put("count", 1)]))).toMatchObject(unknown);
    expect(await failureOf(store.read({}))).toMatchObject(none);
    expect(performance.now() - began).toBeLessThan(2_000);
    proxy.restore();
    expect(await valueAt(store, "count")).toBe(applied);
    await expectCountUp(store, 1);
  }
});

test("A slow network only takes longer.", async ({ skip }) => {
  const { store, proxy } = await stage(skip);
  proxy.delay(30);
  await expectCountUp(store, 1);
  await expectCountUp(store, 2);
});

test("Connections that are cut all the time lose and double no increment.", async ({ skip }) => {
  const { store, proxy, direct } = await stage(skip);
  for (let to = 1; to <= 20; to++) {
    const counting = expectCountUp(store, to);
    setTimeout(() => proxy.cut(), to % 7);
    await counting;
  }
  expect(await valueAt(direct, "count")).toBe(20);
});

test("A listener hears again after its connection broke, also what was announced meanwhile.", async ({
  skip,
}) => {
  const { store, proxy, direct } = await stage(skip);
  const ear = await listen(store);
  await apply(direct, change({ announce: ["/before"] }));
  await ear.hears("/before");
  proxy.refuse();
  await apply(direct, change({ announce: ["/meanwhile"] }));
  proxy.restore();
  await ear.hears("/meanwhile");
  await apply(direct, change({ announce: ["/after"] }));
  await ear.hears("/after");
  expect(ear.heard).toContain("/after");
});

test("A connection that died without a word is left at the next request, and the listener hears again.", async ({
  skip,
}) => {
  const { store, proxy, direct } = await stage(skip);
  const ear = await listen(store);
  proxy.strand();
  await untilItWorks(() => store.read({}), 5_000);
  await apply(direct, change({ announce: ["/after"] }));
  await ear.hears("/after");
  expect(ear.heard).toContain("/after");
});

test("A server that is killed loses nothing; it serves again as soon as it is back.", async ({ skip }) => {
  const { store } = await stage(skip);
  await expectCountUp(store, 1);
  await server.kill();
  expect(await failureOf(store.commit([put("count", 9)]))).toMatchObject({ name: "StoreError" });
  expect(await failureOf(store.read({}))).toMatchObject(none);
  await server.restart();
  const began = performance.now();
  await expectCountUp(store, 2);
  expect(performance.now() - began).toBeLessThan(1_000);
});

test("A server that is stopped answers nothing in time; what it was asked is settled when it goes on.", async ({
  skip,
}) => {
  const { store } = await stage(skip);
  server.pause();
  // The signal takes a while to stop it.
  const failed = await untilItFails(() => store.commit([put("count", 1)]));
  expect(failed).toMatchObject(unknown);
  expect(await failureOf(store.read({}))).toMatchObject(none);
  server.resume();
  const settled = await untilItWorks(() => valueAt(store, "count"), 1_000);
  expect([0, 1]).toContain(settled);
  // What was read is final: the next to count expects it.
  await expectCountUp(store, Number(settled) + 1);
});

test("Nobody listens there: nothing was done, and it can be tried again.", async ({ skip }) => {
  const { direct: store } = await stage(skip);
  await server.kill();
  try {
    await failureOf(store.read({}));
    await expect(store.commit([put("a")])).rejects.toThrow(failure({ retryable: true }));
    expect(await failureOf(openFor(fresh(server.url)))).toMatchObject(none);
  } finally {
    await server.restart();
  }
});

test("Closing is quick, whatever has become of the server.", async ({ skip }) => {
  const { store, proxy } = await stage(skip);
  await listen(store);
  proxy.replies("drop");
  const commit = failureOf(store.commit([put("count", 1)]));
  await store.close();
  expect(await commit).toMatchObject({ name: "StoreError", outcome: "unknown" });
});
