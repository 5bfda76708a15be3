/** What etcd allows in one request, how much it keeps, and how the store gets along with it. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Change } from "../../src/store/store.js";
import { listen } from "../conformance/cases/hints.js";
import { apply, attempt, change, keysIn, put, remove, revisionOf, valueAt } from "../conformance/changes.js";
import { ask, etcdProgram, fresh, needEtcd, startEtcd } from "../servers/etcd.js";
import type { TestServer } from "../servers/server.js";
import { failureOf, openFor, proxyTo, untilItFails } from "./stage.js";

let server: TestServer;
let origin: string;
beforeAll(async () => {
  if (etcdProgram === undefined) return;
  server = await startEtcd();
  origin = `http://127.0.0.1:${server.port}`;
}, 30_000);
afterAll(() => server?.stop());

const numbered = (count: number): string[] =>
  Array.from({ length: count }, (_, n) => `key ${String(n).padStart(4, "0")}`);

test("A commit of more changes than fit one transaction is carried out in several, in order.", async ({
  skip,
}) => {
  needEtcd(skip);
  const store = await openFor(fresh(server.url));
  await apply(store, put("key 0100", "taken"));
  const changes = numbered(300).map(
    (key): Change => ({
      ...put(key),
      expect: [{ key, revision: 0 }],
      announce: [`/${key}`],
    }),
  );
  const { outcomes } = await store.commit(changes);
  expect(outcomes.map(({ applied }) => applied)).toEqual(changes.map((_, n) => n !== 100));
  const revisions = outcomes.filter(({ applied }) => applied).map((outcome) => revisionOf(outcome));
  expect(revisions).toEqual(revisions.toSorted((a, b) => a - b));
  expect(new Set(revisions).size).toBeLessThan(5);
  expect(await keysIn(store, { prefix: "key" })).toEqual(numbered(300));
});

test("Changes too big for one request go in several.", async ({ skip }) => {
  needEtcd(skip);
  const store = await openFor(fresh(server.url));
  const value = "x".repeat(500_000);
  await apply(store, ...numbered(6).map((key) => put(key, value)));
  expect(await keysIn(store, { prefix: "key" })).toEqual(numbered(6));
});

test("A value too big for etcd is refused, and nothing is done.", async ({ skip }) => {
  needEtcd(skip);
  const store = await openFor(fresh(server.url));
  for (const length of [1_600_000, 3_000_000]) {
    const failed = await failureOf(store.commit([put("big", "x".repeat(length))]));
    expect(failed).toMatchObject({ name: "StoreError", outcome: "none" });
  }
  expect(await valueAt(store, "big")).toBeUndefined();
});

test("The largest change goes through with ranges and a hint; a larger one is refused whole.", async ({
  skip,
}) => {
  needEtcd(skip);
  const store = await openFor(fresh(server.url));
  const { revision } = await store.read({});
  const keys = numbered(store.traits.maxKeysPerChange);
  const ranges = Array.from({ length: 6 }, (_, n) => ({
    range: { prefix: `range ${n}` },
    unchangedSince: revision,
  }));
  const expectAbsent = keys.map((key) => ({ key, revision: 0 }));
  expect(await attempt(store, { expect: [...expectAbsent, ...ranges] })).toMatchObject({ applied: true });
  await apply(store, change({ put: keys.map((key) => ({ key, value: 1 })), announce: ["/all"] }));
  const tooMany = change({ remove: numbered(127) });
  expect(await failureOf(store.commit([tooMany]))).toMatchObject({ name: "StoreError", outcome: "none" });
  expect(await keysIn(store, { prefix: "key" })).toEqual(keys);
});

test("A server that allows more operations lets one change name more keys.", async ({ skip }) => {
  needEtcd(skip);
  const generous = await startEtcd(["--max-txn-ops=1024"]);
  try {
    const store = await openFor(`${generous.url}/?maxTxnOps=1024`);
    const keys = numbered(1_000);
    await apply(store, change({ put: keys.map((key) => ({ key, value: 1 })) }));
    expect(await keysIn(store, { prefix: "" })).toEqual(keys);
  } finally {
    await generous.stop();
  }
}, 20_000);

test("A read of more keys and ranges than fit one transaction is still one snapshot.", async ({ skip }) => {
  needEtcd(skip);
  const store = await openFor(fresh(server.url));
  const keys = numbered(300);
  const writeAll = (value: number): Promise<unknown> =>
    apply(
      store,
      ...[0, 1, 2].map((n) =>
        change({ put: keys.slice(n * 100, n * 100 + 100).map((key) => ({ key, value })) }),
      ),
    );
  await writeAll(0);
  let isOver = false;
  const writing = (async () => {
    for (let value = 1; value <= 10; value++) {
      await apply(store, change({ put: [keys[0]!, keys[299]!].map((key) => ({ key, value })) }));
    }
    isOver = true;
  })();
  while (!isOver) {
    const { entries } = await store.read({ keys });
    expect(entries).toHaveLength(300);
    expect(entries[0]?.value).toBe(entries[299]?.value);
  }
  await writing;
});

test("An expectation on a page that was read is not disturbed by what is written behind the page.", async ({
  skip,
}) => {
  needEtcd(skip);
  const store = await openFor(fresh(server.url));
  await apply(store, ...["q/1", "q/3", "q/5", "q/7"].map((key) => put(key)));
  const range = { prefix: "q/", limit: 2 };
  const { revision, ranges } = await store.read({ ranges: [range] });
  expect(ranges[0]).toHaveLength(2);
  await apply(store, put("q/5", "behind"), put("q/4", "behind"));
  const unchanged = { expect: [{ range, unchangedSince: revision }] };
  expect(await attempt(store, unchanged)).toMatchObject({ applied: true });
  await apply(store, put("q/2", "within"));
  expect(await attempt(store, unchanged)).toMatchObject({ applied: false });
});

test("Hints take a bounded number of keys, however many commits announce something.", async ({ skip }) => {
  needEtcd(skip);
  const url = fresh(server.url);
  const store = await openFor(url);
  for (let n = 0; n < 10; n++)
    await store.commit([change({ announce: ["/a"] }), change({ announce: ["/b"] })]);
  const prefix = Buffer.from(`${new URL(url).searchParams.get("namespace")}/hint/`);
  const end = Buffer.concat([prefix.subarray(0, -1), Buffer.from("0")]);
  const { count } = await ask(origin, "/v3/kv/range", {
    key: prefix.toString("base64"),
    range_end: end.toString("base64"),
    count_only: true,
  });
  expect(count).toBe("2");
});

test("A listener survives that its place in the history was compacted away.", async ({ skip }) => {
  needEtcd(skip);
  const url = fresh(server.url);
  const proxy = await proxyTo(server.port);
  const store = await openFor(url.replace(`:${server.port}`, `:${proxy.port}`));
  const direct = await openFor(url);
  const ear = await listen(store);
  await apply(direct, change({ announce: ["/before"] }));
  await ear.hears("/before");
  proxy.refuse();
  await apply(direct, change({ announce: ["/lost"] }));
  await apply(direct, change({ announce: ["/the last before"] }));
  const { header } = await ask(origin, "/v3/kv/range", { key: "YQ==" });
  await ask(origin, "/v3/kv/compaction", { revision: (header as { revision: string }).revision });
  proxy.restore();
  // Heard as soon as the watch stands again; what was announced before is lost, which hints may be.
  const announcing = setInterval(() => {
    apply(direct, change({ announce: ["/after"] })).catch(() => {});
  }, 50);
  await ear.hears("/after");
  clearInterval(announcing);
  expect(ear.heard).not.toContain("/lost");
});

test("A full database refuses commits with an unknown outcome, and goes on answering reads.", async ({
  skip,
}) => {
  needEtcd(skip);
  const small = await startEtcd(["--quota-backend-bytes=1000000"]);
  try {
    const store = await openFor(small.url);
    await apply(store, put("small"));
    // Plain puts of another user of the cluster, which etcd 3.4 counts.
    const full = await untilItFails(() =>
      ask(`http://127.0.0.1:${small.port}`, "/v3/kv/put", {
        key: Buffer.from(`fill ${Math.random()}`).toString("base64"),
        value: "x".repeat(100_000),
      }),
    );
    expect(String(full)).toContain("database space exceeded");
    // A new handle cannot even set up its fence.
    const other = await openFor(small.url);
    const failed = await failureOf(other.commit([put("a")]));
    expect(failed).toMatchObject({ name: "StoreError", outcome: "none", retryable: true });
    expect(await valueAt(other, "small")).toBe("small");
    await store.commit([remove("small")]);
  } finally {
    await small.stop();
  }
}, 20_000);
