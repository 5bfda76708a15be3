/** The cluster's data is deleted, or replaced by older data: fencing tokens must not repeat. */
import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, expect, type TestContext, test } from "vitest";
import { apply, change, keysIn, put, valueAt } from "../conformance/changes.js";
import { ask, needEtcd, startEtcd } from "../servers/etcd.js";
import type { TestServer } from "../servers/server.js";
import { failureOf, openFor } from "./stage.js";

let server: TestServer | undefined;
afterEach(async () => {
  await server?.stop();
  server = undefined;
});

async function start(skip: TestContext["skip"]): Promise<TestServer> {
  needEtcd(skip);
  server = await startEtcd();
  return server;
}

test("After all data was deleted, revisions go on rising, and an open store goes on.", async ({ skip }) => {
  const etcd = await start(skip);
  const store = await openFor(etcd.url);
  for (let n = 0; n < 5; n++) await apply(store, put("a", n));
  const { revision: before } = await store.read({});
  await etcd.kill();
  await rm(join(etcd.folder, "data"), { recursive: true });
  await etcd.restart();

  expect(await keysIn(store, { prefix: "" })).toEqual([]);
  const after = await apply(store, put("a", "anew"));
  expect(after).toBeGreaterThan(before);
  expect(await store.read({ keys: ["a"] })).toMatchObject({ entries: [{ revision: after, value: "anew" }] });
  const other = await openFor(etcd.url);
  expect(await apply(other, put("a", "again"))).toBeGreaterThan(after);
}, 20_000);

test("A commit that expects what was deleted with all data is refused.", async ({ skip }) => {
  const etcd = await start(skip);
  const store = await openFor(etcd.url);
  const revision = await apply(store, put("a", 1));
  await etcd.kill();
  await rm(join(etcd.folder, "data"), { recursive: true });
  await etcd.restart();
  const expecting = change({ expect: [{ key: "a", revision }], put: [{ key: "a", value: 2 }] });
  const { outcomes } = await store.commit([expecting]);
  expect(outcomes).toEqual([{ applied: false, late: false, found: [undefined] }]);
}, 20_000);

test("All handles notice that the keys of the namespace were deleted, and agree on new revisions.", async ({
  skip,
}) => {
  const etcd = await start(skip);
  const [a, b] = [await openFor(etcd.url), await openFor(etcd.url)];
  const first = await apply(a, put("x", 1));
  const second = await apply(b, put("x", 2));
  await ask(`http://127.0.0.1:${etcd.port}`, "/v3/kv/deleterange", { key: "AA==", range_end: "AA==" });
  expect(await valueAt(a, "x")).toBeUndefined();
  const third = await apply(b, put("x", 3));
  expect([first, second, third]).toEqual([first, second, third].toSorted((one, two) => one - two));
  expect(await a.read({ keys: ["x"] })).toMatchObject({ entries: [{ revision: third, value: 3 }] });
}, 20_000);

test("A store that sees older data in the place of newer refuses to go on: its tokens would repeat.", async ({
  skip,
}) => {
  const etcd = await start(skip);
  const store = await openFor(etcd.url);
  await apply(store, put("a", "old"));
  await etcd.kill();
  const [data, backup] = [join(etcd.folder, "data"), join(etcd.folder, "backup")];
  await cp(data, backup, { recursive: true });
  await etcd.restart();
  await apply(store, put("a", "new"));
  await etcd.kill();
  await rm(data, { recursive: true });
  await cp(backup, data, { recursive: true });
  await etcd.restart();

  const refused = { name: "StoreError", retryable: false };
  expect(await failureOf(store.commit([put("b")]))).toMatchObject({ ...refused, outcome: "unknown" });
  expect(await failureOf(store.read({}))).toMatchObject(refused);
  // As the message says: without the namespace's keys it begins anew, above all earlier revisions.
  await ask(`http://127.0.0.1:${etcd.port}`, "/v3/kv/deleterange", { key: "AA==", range_end: "AA==" });
  const anew = await openFor(etcd.url);
  expect(await keysIn(anew, { prefix: "" })).toEqual([]);
  await apply(anew, put("a", "anew"));
}, 20_000);
