/** What becomes of requests when the server, or the way to it, fails under them. */
import { expect, onTestFinished } from "vitest";
import { createLockManager } from "../../src/create-lock-manager.js";
import type { Store, StoreError } from "../../src/store/store.js";
import { apply, change, entryAt, put } from "../conformance/changes.js";
import { administer } from "../servers/postgres.js";
import { behindProxy, hurriedClock, onPostgres, openStore, until, urlWith } from "./stage.js";

const it = onPostgres(["max_connections=40"]);

const unknown = { name: "StoreError", outcome: "unknown", retryable: true };
const none = { name: "StoreError", outcome: "none", retryable: true };
const shortly = 1_000;

/** What a call is rejected with. Watched from now on, and looked at later. */
function rejection(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => {
      throw new Error("It was not rejected.");
    },
    (error: unknown) => error,
  );
}

/** How long it takes until the store works again, in milliseconds; it is tried all the time. */
async function backAfter(store: Store): Promise<number> {
  const began = performance.now();
  await until(() =>
    store.commit([put("is it back?")]).then(
      () => true,
      (error: StoreError) => {
        expect(error).toMatchObject({ name: "StoreError", retryable: true });
        return false;
      },
    ),
  );
  return performance.now() - began;
}

it("a request that is cut on its way was not carried out, and nobody can know", async (server) => {
  const { proxy, url } = await behindProxy(server);
  const store = await openStore(urlWith(url));
  proxy.requests("cut");
  await expect(store.commit([put("a")])).rejects.toMatchObject(unknown);
  // Nothing was sent: there is no connection to send it on.
  await expect(store.commit([put("a")])).rejects.toMatchObject(none);
  await expect(store.read({ keys: ["a"] })).rejects.toMatchObject(none);
  proxy.restore();
  expect(await backAfter(store)).toBeLessThan(shortly);
  expect(await entryAt(store, "a")).toBeUndefined();
});

it("a commit whose reply is cut was carried out once, and nobody can know", async (server) => {
  const { proxy, url } = await behindProxy(server);
  const [store, other] = [
    await openStore(urlWith(url, { namespace: "cut" })),
    await openStore(urlWith(server.url, { namespace: "cut" })),
  ];
  proxy.replies("cut");
  const count = change({ expect: [{ key: "a", revision: 0 }], put: [{ key: "a", value: 1 }] });
  await expect(store.commit([count])).rejects.toMatchObject(unknown);
  await expect.poll(() => entryAt(other, "a")).toMatchObject({ value: 1 });
  proxy.restore();
  expect(await backAfter(store)).toBeLessThan(shortly);
  expect((await store.commit([count])).outcomes).toMatchObject([{ applied: false, found: [{ value: 1 }] }]);
});

it("an acquire whose reply is cut is one lock in the end", async (server) => {
  const { proxy, url } = await behindProxy(server);
  const store = await openStore(urlWith(url, { namespace: "settled" }));
  const locks = await createLockManager({}, store);
  onTestFinished(() => locks.close());
  proxy.replies("cut");
  const acquire = locks.acquireLock("/a", "ann", { ttl: "5m", timeout: "30s" });
  const other = await openStore(urlWith(server.url, { namespace: "settled" }));
  await until(async () => (await entryAt(other, "lock/a")) !== undefined);
  const { revision } = (await entryAt(other, "lock/a"))!;
  proxy.restore();
  const lock = await acquire;
  expect(lock.fencingToken).toBe(revision);
  expect(await locks.getLockCount()).toBe(1);
  expect(await lock.release()).toBe(true);
});

it("a connection that carries nothing to the server any more does not hold a request up for ever", async (server) => {
  const { proxy, url } = await behindProxy(server);
  const store = await openStore(urlWith(url), hurriedClock);
  // Several connections that look idle and are all dead.
  await Promise.all(Array.from({ length: 4 }, () => store.read({})));
  proxy.requests("drop");
  await expect(store.commit([put("a")])).rejects.toMatchObject(unknown);
  await expect(store.read({ keys: ["a"] })).rejects.toMatchObject(none);
  proxy.restore();
  expect(await backAfter(store)).toBeLessThan(shortly);
  expect(await entryAt(store, "a")).toBeUndefined();
});

it("nor does one that brings nothing back", async (server) => {
  const { proxy, url } = await behindProxy(server);
  const store = await openStore(urlWith(url), hurriedClock);
  await Promise.all(Array.from({ length: 4 }, () => store.read({})));
  proxy.replies("drop");
  await expect(store.commit([put("a")])).rejects.toMatchObject(unknown);
  await expect(store.read({ keys: ["a"] })).rejects.toMatchObject(none);
  proxy.restore();
  expect(await backAfter(store)).toBeLessThan(shortly);
  expect(await entryAt(store, "a")).toMatchObject({ value: "a" });
});

it("a slow way makes everything late, and nothing wrong", async (server) => {
  const { proxy, url } = await behindProxy(server);
  const store = await openStore(urlWith(url));
  proxy.delay(30);
  const revisions = await Promise.all(Array.from({ length: 20 }, (_, n) => apply(store, put(`key ${n}`))));
  expect(new Set(revisions).size).toBe(20);
});

it("hints come again after their connection was cut, or went dead", async (server) => {
  const { proxy, url } = await behindProxy(server);
  const store = await openStore(
    urlWith(url, { namespace: "heard", application_name: "heard" }),
    hurriedClock,
  );
  const other = await openStore(urlWith(server.url, { namespace: "heard" }));
  const heard = new Set<string>();
  await store.subscribe((paths) => {
    for (const path of paths) heard.add(path);
  });
  const hears = (path: string): Promise<void> =>
    until(async () => {
      await apply(other, change({ announce: [path] }));
      return heard.has(path);
    });
  await hears("/before");
  // Of the connections only that for hints is opened again by itself.
  proxy.cut();
  await hears("/after a cut");
  const pids = async (): Promise<unknown[]> =>
    (
      await administer(server.url, "select pid from pg_stat_activity where application_name = 'heard'")
    ).flat();
  const before = await pids();
  proxy.replies("drop");
  await apply(other, change({ announce: ["/lost"] }));
  // It is asked whether it lives, and given up.
  await until(async () => !(await pids()).some((pid) => before.includes(pid)));
  proxy.replies("pass");
  await hears("/after silence");
  await store.close();
  expect(heard).not.toContain("/lost");
  await until(() => proxy.connections === 0);
});

it("a server that is killed loses nothing, and is used again soon after it returns", async (server) => {
  const store = await openStore(urlWith(server.url));
  const heard = new Set<string>();
  await store.subscribe((paths) => {
    for (const path of paths) heard.add(path);
  });
  const revision = await apply(store, put("before", 1));
  await server.kill();
  const during = change({ expect: [{ key: "during", revision: 0 }] });
  await until(() =>
    store.commit([during]).then(
      () => false,
      (error: StoreError) => error.outcome === "none" && error.retryable,
    ),
  );
  await expect(store.read({})).rejects.toMatchObject(none);
  await server.restart();
  expect(await backAfter(store)).toBeLessThan(shortly);
  expect(await entryAt(store, "before")).toEqual({ key: "before", revision, value: 1 });
  expect(await apply(store, put("after"))).toBeGreaterThan(revision);
  await until(async () => {
    await apply(store, change({ announce: ["/again"] }));
    return heard.has("/again");
  });
});

it("a server that stands still holds nobody up for ever, and goes on where it stood", async (server) => {
  const store = await openStore(urlWith(server.url, { connections: "1" }), hurriedClock);
  await apply(store, put("a", 1));
  const [backend] = await administer(
    server.url,
    "select pid from pg_stat_activity where query like 'call%' order by state_change desc limit 1",
  );
  const pid = Number(backend?.[0]);
  process.kill(pid, "SIGSTOP");
  onTestFinished(() => tryToResume(pid));
  await expect(store.commit([put("a", 2)])).rejects.toMatchObject(unknown);
  // Another connection, and so another process of the server, which is well.
  expect(await entryAt(store, "a")).toMatchObject({ value: 1 });
  process.kill(pid, "SIGCONT");
  await expect.poll(() => entryAt(store, "a")).toMatchObject({ value: 2 });
});

function tryToResume(pid: number): void {
  try {
    process.kill(pid, "SIGCONT");
  } catch {
    // It has gone on, and ended.
  }
}

/** Holds the lock of a namespace, as a commit does that takes long, until the test ends or `letGo`. */
async function holdUp(url: string, namespace: string): Promise<{ letGo: () => Promise<void> }> {
  const { Client } = await import("pg");
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query("begin");
  await client.query(
    "select pg_advisory_xact_lock('engram_lock.space'::regclass::oid::int, id) from engram_lock.space where name = $1",
    [namespace],
  );
  let isHeld = true;
  const letGo = async (): Promise<void> => {
    if (isHeld) await client.end();
    isHeld = false;
  };
  onTestFinished(letGo);
  return { letGo };
}

/** Does something to the process of the server that waits for that lock. */
async function toTheWaiting(url: string, what: "pg_cancel_backend" | "pg_terminate_backend"): Promise<void> {
  await until(async () => {
    const rows = await administer(
      url,
      `select ${what}(pid) from pg_stat_activity where wait_event_type = 'Lock' and wait_event = 'advisory'`,
    );
    return rows.length > 0;
  });
}

it("a commit that is cancelled, or waits too long, was surely not carried out", async (server) => {
  const namespace = "cancelled";
  const store = await openStore(urlWith(server.url, { namespace }));
  const { letGo } = await holdUp(server.url, namespace);
  const cancelled = rejection(store.commit([put("a")]));
  await toTheWaiting(server.url, "pg_cancel_backend");
  expect(await cancelled).toMatchObject(none);
  const refused = { ...none, message: expect.stringContaining("lock timeout") };
  await expect(store.commit([put("a")])).rejects.toMatchObject(refused);
  await letGo();
  expect(await entryAt(store, "a")).toBeUndefined();
});

it("a commit whose process is ended may have been carried out", async (server) => {
  const namespace = "ended";
  const store = await openStore(urlWith(server.url, { namespace }));
  const { letGo } = await holdUp(server.url, namespace);
  const ended = rejection(store.commit([put("a")]));
  await toTheWaiting(server.url, "pg_terminate_backend");
  expect(await ended).toMatchObject(unknown);
  await letGo();
  expect(await backAfter(store)).toBeLessThan(shortly);
});

it("an abort is heard at once, wherever the request is, and its connection is used again", async (server) => {
  const namespace = "aborted";
  const store = await openStore(urlWith(server.url, { namespace, connections: "1" }));
  const { letGo } = await holdUp(server.url, namespace);
  const abort = new AbortController();
  const options = { signal: abort.signal };
  const calls = [
    rejection(store.commit([put("sent")], options)),
    rejection(store.commit([put("waiting")], options)),
    rejection(store.read({}, options)),
  ];
  await until(
    async () =>
      (await administer(server.url, "select from pg_locks where locktype = 'advisory' and not granted"))
        .length > 0,
  );
  abort.abort();
  expect(await Promise.all(calls)).toMatchObject([unknown, none, none]);
  await letGo();
  await expect.poll(() => entryAt(store, "sent")).toMatchObject({ value: "sent" });
  expect(await entryAt(store, "waiting")).toBeUndefined();
});

it("a server that takes no more connections is asked again, and those that there are suffice", async (server) => {
  await administer(server.url, "create role few login superuser");
  const url = server.url.replace("tests@", "few@");
  const store = await openStore(urlWith(url));
  // A superuser has no limit of his own, an ordinary role has.
  await administer(
    server.url,
    "grant all on schema engram_lock to few; alter role few nosuperuser connection limit 1",
  );
  await administer(server.url, "grant all on all tables in schema engram_lock to few");
  const revisions = await Promise.all(Array.from({ length: 20 }, (_, n) => apply(store, put(`key ${n}`))));
  expect(new Set(revisions).size).toBe(20);
  const refusal = openStore(urlWith(url));
  await expect(refusal).rejects.toMatchObject(none);
  await expect(refusal).rejects.toThrow("too many connections");
});

it("a server that only reads is asked again: the next connection may lead to one that writes", async (server) => {
  const store = await openStore(urlWith(server.url));
  await administer(server.url, "alter database postgres set default_transaction_read_only = on");
  await administer(
    server.url,
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'engram-lock'",
  );
  await until(
    async () =>
      (await administer(server.url, "select from pg_stat_activity where application_name = 'engram-lock'"))
        .length === 0,
  );
  await expect(store.commit([put("a")])).rejects.toMatchObject(none);
  await administer(
    server.url,
    "begin read write; alter database postgres reset default_transaction_read_only; commit",
  );
  expect(await backAfter(store)).toBeLessThan(shortly);
});
