/** Commits that arrive after their outcome was settled. etcd has no clock that could stop them; the fence does. */
import { afterAll, beforeAll, expect, type TestContext, test } from "vitest";
import { systemClock } from "../../src/clock/system-clock.js";
import type { Store } from "../../src/store/store.js";
import { apply, change, keysIn, put, valueAt } from "../conformance/changes.js";
import { ask, etcdProgram, fresh, needEtcd, startEtcd } from "../servers/etcd.js";
import type { TestServer } from "../servers/server.js";
import { LateMessenger } from "./late-messenger.js";
import { failureOf, openFor, until } from "./stage.js";

let server: TestServer;
beforeAll(async () => {
  if (etcdProgram !== undefined) server = await startEtcd();
}, 30_000);
afterAll(() => server?.stop());

async function stage(skip: TestContext["skip"]): Promise<{ store: Store; messenger: LateMessenger }> {
  needEtcd(skip);
  const messenger = await LateMessenger.before(server.port);
  const store = await openFor(fresh(`etcd://127.0.0.1:${messenger.port}`));
  await apply(store, put("before"));
  return { store, messenger };
}

const unknown = { name: "StoreError", outcome: "unknown", retryable: true };

test("A commit that arrives after its outcome was read is not applied.", async ({ skip }) => {
  const { store, messenger } = await stage(skip);
  const held = messenger.hold("late", "break");
  expect(await failureOf(store.commit([put("late")]))).toMatchObject(unknown);
  await held;
  expect(await valueAt(store, "late")).toBeUndefined();
  expect(await messenger.deliver()).toBe(false);
  expect(await keysIn(store, { prefix: "" })).toEqual(["before"]);
});

test("A commit that arrives after another commit of its sender is not applied.", async ({ skip }) => {
  const { store, messenger } = await stage(skip);
  const held = messenger.hold("late", "break");
  expect(await failureOf(store.commit([put("late")]))).toMatchObject(unknown);
  await held;
  await apply(store, put("after"));
  expect(await messenger.deliver()).toBe(false);
  expect(await keysIn(store, { prefix: "" })).toEqual(["after", "before"]);
});

test("A commit of unknown outcome that arrives before anything was read is applied, and is seen.", async ({
  skip,
}) => {
  const { store, messenger } = await stage(skip);
  const held = messenger.hold("late", "break");
  expect(await failureOf(store.commit([put("late")]))).toMatchObject(unknown);
  await held;
  expect(await messenger.deliver()).toBe(true);
  expect(await valueAt(store, "late")).toBe("late");
});

test("A commit that the caller gave up on is shut out as well.", async ({ skip }) => {
  const { store, messenger } = await stage(skip);
  const held = messenger.hold("late", "stall");
  const giveUp = new AbortController();
  const commit = failureOf(store.commit([put("late")], { signal: giveUp.signal }));
  await held;
  giveUp.abort();
  expect(await commit).toMatchObject(unknown);
  expect(await valueAt(store, "late")).toBeUndefined();
  expect(await messenger.deliver()).toBe(false);
});

test("A change that is still on its way past its `notAfter` is late, once its sender has told a later time.", async ({
  skip,
}) => {
  const { store, messenger } = await stage(skip);
  const { storeTime } = await store.read({});
  // The clock of another machine may be half a second ahead.
  const notAfter = storeTime + 500 + 200;
  const held = messenger.hold("late", "stall");
  const commit = store.commit([change({ ...put("late"), notAfter }), put("in time")]);
  await held;
  await until(() => systemClock.now() > notAfter);
  expect((await store.read({})).storeTime).toBeGreaterThan(notAfter);
  expect(await messenger.deliver()).toBe(false);
  expect((await commit).outcomes).toEqual([
    { applied: false, late: true, found: [] },
    { applied: true, revision: expect.any(Number) },
  ]);
  expect(await keysIn(store, { prefix: "" })).toEqual(["before", "in time"]);
});

test("A commit of one handle says nothing about those of another.", async ({ skip }) => {
  const { store, messenger } = await stage(skip);
  const other = await openFor(fresh(server.url));
  const held = messenger.hold("late", "break");
  expect(await failureOf(store.commit([put("late")]))).toMatchObject(unknown);
  await held;
  await apply(other, put("of the other"));
  expect(await messenger.deliver()).toBe(true);
});

test("A fence that somebody deleted is made anew, and the commit is applied once.", async ({ skip }) => {
  needEtcd(skip);
  const url = fresh(server.url);
  const store = await openFor(url);
  await apply(store, put("a", 1));
  const prefix = Buffer.from(`${new URL(url).searchParams.get("namespace")}/fence/`);
  const end = Buffer.concat([prefix.subarray(0, -1), Buffer.from("0")]);
  const { deleted } = await ask(`http://127.0.0.1:${server.port}`, "/v3/kv/deleterange", {
    key: prefix.toString("base64"),
    range_end: end.toString("base64"),
  });
  expect(deleted).toBe("1");
  const revision = await apply(store, put("a", 2));
  expect(await store.read({ keys: ["a"] })).toMatchObject({ entries: [{ revision, value: 2 }] });
});

test("A closed store leaves no fence and no lease behind.", async ({ skip }) => {
  needEtcd(skip);
  const url = fresh(server.url);
  const leases = async (): Promise<unknown> =>
    ((await ask(`http://127.0.0.1:${server.port}`, "/v3/lease/leases", {})) as { leases?: unknown[] }).leases
      ?.length ?? 0;
  const before = await leases();
  const store = await openFor(url);
  await apply(store, put("a"));
  expect(await leases()).toBe(Number(before) + 1);
  await store.close();
  expect(await leases()).toBe(before);
});
