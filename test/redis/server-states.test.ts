/** What the Redis store does when its server is full, emptied, a replica, of the wrong make or of the wrong mind. */
import { expect, test } from "vitest";
import { apply, attempt, change, entryAt, failure, put, remove, valueAt } from "../conformance/changes.js";
import { askRedis } from "../servers/redis.js";
import { open, redis } from "./stage.js";

const passing = failure({ retryable: true });
const lasting = failure({ retryable: false });
const home = "{engram-lock:engram-lock}";

test("A server that forgot its scripts is told them again, and nothing is done twice.", async ({ skip }) => {
  const server = await redis(skip);
  const store = await open(server.url);
  const first = await apply(store, put("a", 1));
  await askRedis(server.port, (asked) => asked.script("FLUSH"));
  expect(await valueAt(store, "a")).toBe(1);
  await askRedis(server.port, (asked) => asked.script("FLUSH"));
  const [outcome] = (
    await store.commit([change({ expect: [{ key: "a", revision: first }], put: [{ key: "a", value: 2 }] })])
  ).outcomes;
  expect(outcome).toMatchObject({ applied: true });
});

test("Revisions and store time rise after everything was flushed.", async ({ skip }) => {
  const server = await redis(skip);
  const store = await open(server.url);
  const before = await apply(store, put("a"));
  const { storeTime } = await store.read({});
  await askRedis(server.port, (asked) => asked.flushall());
  const after = await store.read({ keys: ["a"] });
  expect(after).toMatchObject({ entries: [undefined], revision: 0 });
  expect(after.storeTime).toBeGreaterThanOrEqual(storeTime);
  expect(await apply(store, put("a"))).toBeGreaterThan(before);
});

test("Store time and revisions go on from where they stood when the server's clock is behind.", async ({
  skip,
}) => {
  const server = await redis(skip);
  const store = await open(server.url);
  await apply(store, put("a"));
  const ahead = (Date.now() + 3_600_000) * 1_000;
  await askRedis(server.port, (asked) => asked.hset(`${home}:meta`, { time: ahead, revision: ahead + 7 }));
  expect((await store.read({})).storeTime).toBe(ahead / 1_000);
  expect(await apply(store, put("b"))).toBe(ahead + 8);
  expect(await apply(store, put("c"))).toBe(ahead + 9);
  const late = await attempt(store, { ...put("d"), notAfter: ahead / 1_000 - 1 });
  expect(late).toMatchObject({ applied: false, late: true });
});

test("A read notes the time it tells, so that no later commit is judged by an earlier one.", async ({
  skip,
}) => {
  const server = await redis(skip);
  const store = await open(server.url);
  const { storeTime } = await store.read({});
  const noted = await askRedis(server.port, (asked) => asked.hget(`${home}:meta`, "time"));
  expect(Number(noted) / 1_000).toBe(storeTime);
});

test("A revision beyond the largest safe integer is refused for good, and nothing is written.", async ({
  skip,
}) => {
  const server = await redis(skip);
  const store = await open(server.url);
  await apply(store, put("a", 1));
  const last = Number.MAX_SAFE_INTEGER;
  await askRedis(server.port, (asked) => asked.hset(`${home}:meta`, "revision", last - 1));
  expect(await apply(store, put("a", 2))).toBe(last);
  expect(await entryAt(store, "a")).toMatchObject({ revision: last });
  await expect(store.commit([put("a", 3)])).rejects.toThrow(lasting);
  expect(await valueAt(store, "a")).toBe(2);
});

test("A format of another version is refused for good.", async ({ skip }) => {
  const server = await redis(skip);
  const store = await open(server.url);
  await apply(store, put("a", 1));
  await askRedis(server.port, (asked) => asked.hset(`${home}:meta`, "format", "2"));
  await expect(store.commit([put("a", 2)])).rejects.toThrow(lasting);
  await expect(store.read({ keys: ["a"] })).rejects.toThrow(/another version/);
});

test("A full server refuses what would fill it more, is read all the same, and takes what empties it.", async ({
  skip,
}) => {
  const server = await redis(skip);
  const store = await open(server.url);
  await apply(store, put("a", 1), put("b", 1));
  await askRedis(server.port, (asked) => asked.config("SET", "maxmemory", "1kb"));
  await expect(store.commit([put("c", 1)])).rejects.toThrow(passing);
  expect(await entryAt(store, "c")).toBeUndefined();
  const leaving = change({ remove: ["a"], put: [{ key: "b", value: 2 }] });
  await apply(store, leaving);
  expect(await valueAt(store, "b")).toBe(2);
  await apply(store, remove("b"));
});

test("A server that would throw locks away when it is full is refused in words.", async ({ skip }) => {
  const server = await redis(skip, ["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]);
  await expect(open(server.url)).rejects.toThrow(lasting);
  await expect(open(server.url)).rejects.toThrow(/"allkeys-lru".*"noeviction"/);
});

test("A server without enough replicas refuses to commit, for now, and is read all the same.", async ({
  skip,
}) => {
  const server = await redis(skip);
  const store = await open(server.url);
  await apply(store, put("a", 1));
  await askRedis(server.port, (asked) => asked.config("SET", "min-replicas-to-write", 1));
  await expect(store.commit([put("a", 2)])).rejects.toThrow(passing);
  expect(await valueAt(store, "a")).toBe(1);
});

test("A server that has become a replica is neither written to nor read.", async ({ skip }) => {
  const [server, primary] = [await redis(skip), await redis(skip)];
  const store = await open(server.url);
  await apply(store, put("a", 1));
  await askRedis(server.port, (asked) => asked.replicaof("127.0.0.1", primary.port));
  await expect(store.commit([put("b")])).rejects.toThrow(passing);
  await expect(store.read({ keys: ["a"] })).rejects.toThrow(passing);
});

test("A busy server refuses for now, and surely did nothing.", async ({ skip }) => {
  const server = await redis(skip, ["--lua-time-limit", "20"]);
  const store = await open(server.url);
  await apply(store, put("a"));
  // A connection that is made meanwhile would be refused as well.
  await askRedis(server.port, async (asked) => {
    const busy = askRedis(server.port, (other) => other.eval("while true do end", 0));
    busy.catch(() => undefined);
    await expect
      .poll(() => asked.ping().catch((error: Error) => error.message), { interval: 5 })
      .toMatch(/^BUSY/);
    await expect(store.commit([put("b")])).rejects.toThrow(passing);
    await Promise.all([expect(busy).rejects.toThrow(/killed/i), asked.script("KILL")]);
  });
  expect(await entryAt(store, "b")).toBeUndefined();
});

test("requireDurable refuses in words whatever may lose what it acknowledged.", async ({ skip }) => {
  const always = ["--appendonly", "yes", "--appendfsync", "always"];
  const unsafe = [await redis(skip), await redis(skip, ["--appendonly", "yes", "--appendfsync", "everysec"])];
  for (const { url } of unsafe) {
    await expect(open(`${url}?requireDurable=true`)).rejects.toThrow(lasting);
    await expect(open(`${url}?requireDurable=true`)).rejects.toThrow(/"appendfsync always"/);
    expect((await open(url)).traits).toMatchObject({ durable: false, promise: "efficiency" });
  }
  const safe = await redis(skip, always);
  const url = `${safe.url}?requireDurable=true`;
  expect((await open(url)).traits).toMatchObject({ durable: true, promise: "correctness" });
  const replica = unsafe[0]!;
  await askRedis(replica.port, (asked) => asked.replicaof("127.0.0.1", safe.port));
  await expect
    .poll(() => askRedis(safe.port, (asked) => asked.info("replication")), { interval: 20, timeout: 10_000 })
    .toMatch(/connected_slaves:1/);
  await expect(open(url)).rejects.toThrow(/1 replicas?/);
});

test("requireDurable holds for the server that comes back, too.", async ({ skip }) => {
  const server = await redis(skip, ["--appendonly", "yes", "--appendfsync", "always"]);
  const store = await open(`${server.url}?requireDurable=true`);
  await apply(store, put("a"));
  await askRedis(server.port, async (asked) => {
    await asked.config("SET", "appendfsync", "everysec");
    await asked.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
  });
  await expect
    .poll(() => store.commit([put("b")]).catch((error: Error) => error.message), { interval: 10 })
    .toMatch(/requireDurable/);
  await askRedis(server.port, (asked) => asked.config("SET", "appendfsync", "always"));
  await expect
    .poll(
      () =>
        store.commit([put("c")]).then(
          () => "back",
          () => "not yet",
        ),
      { interval: 10 },
    )
    .toBe("back");
});

test("A wrong password is refused for good, and not shown.", async ({ skip }) => {
  const server = await redis(skip);
  await askRedis(server.port, (asked) => asked.config("SET", "requirepass", "right secret"));
  const wrong = server.url.replace("//", "//:wrong%20secret@");
  await expect(open(wrong)).rejects.toThrow(lasting);
  await expect(open(wrong)).rejects.not.toThrow(/wrong secret|wrong%20secret/);
  await expect(open(server.url)).rejects.toThrow(lasting);
  await apply(await open(server.url.replace("//", "//default:right%20secret@")), put("a"));
});

test("The databases of one server are apart, and so are the namespaces of one database.", async ({
  skip,
}) => {
  const server = await redis(skip);
  const stores = [
    await open(server.url),
    await open(`${server.url}/1`),
    await open(`${server.url}/1?namespace=team-a`),
  ];
  for (const [n, store] of stores.entries()) await apply(store, put("a", n));
  for (const [n, store] of stores.entries()) expect(await valueAt(store, "a")).toBe(n);
});

test("Anything else that is said on the channel of the hints does no harm.", async ({ skip }) => {
  const server = await redis(skip);
  const store = await open(server.url);
  const heard: string[] = [];
  await store.subscribe((paths) => void heard.push(...paths));
  for (const text of ["not JSON", "7", "[[1, null], {}]"])
    await askRedis(server.port, (asked) => asked.publish(`${home}:hints`, text));
  await attempt(store, { announce: ["/a"] });
  await expect.poll(() => heard).toEqual(["/a"]);
});
