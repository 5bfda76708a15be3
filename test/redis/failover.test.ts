/** Servers that take over from one another: a replica that lags behind, Sentinel, Cluster. */
import { execFileSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, type TestContext, test } from "vitest";
import { createLockManager } from "../../src/create-lock-manager.js";
import type { LockManager } from "../../src/lock-manager.js";
import { listen } from "../conformance/cases/hints.js";
import { apply, attempt, failure, keysIn, put, valueAt } from "../conformance/changes.js";
import { askRedis, needRedis } from "../servers/redis.js";
import { findProgram, need, startServer, type TestServer } from "../servers/server.js";
import { lastCountedOn } from "../support/last-counted-on.js";
import { open, proxyTo, redis } from "./stage.js";

const anyFailure = expect.objectContaining({ name: "StoreError", retryable: true });

test("A replica that lagged behind takes over: locks are lost and their holders told in time, and tokens rise.", async ({
  skip,
}) => {
  const [first, second] = [await redis(skip), await redis(skip)];
  const link = await proxyTo(first.port);
  const address = await proxyTo(first.port);
  const url = `redis://127.0.0.1:${address.port}`;
  const locks = await managerOn(url);
  await locks.acquireLock("/replicated", "ann");
  await follow(second, link.port);
  // From now on the replica receives nothing any more.
  link.requests("drop");
  link.replies("drop");
  const lost = await locks.acquireLock("/lost", "ann", { ttl: "2s", autoExtend: true });
  const ended = lastCountedOn(lost);

  await askRedis(second.port, (asked) => asked.replicaof("NO", "ONE"));
  await first.kill();
  const after = await managerOn(second.url);
  const taken = await after.acquireLock("/lost", "bob");
  expect(taken.fencingToken).toBeGreaterThan(lost.fencingToken);
  expect((await after.getResource("/replicated")).holders).toHaveLength(1);
  expect(await ended).toBeLessThanOrEqual(lost.expiresAt.getTime());
});

test("Everything is flushed: a holder is told at its next extension, and later tokens are larger.", async ({
  skip,
}) => {
  const server = await redis(skip);
  const locks = await managerOn(server.url);
  const lock = await locks.acquireLock("/a", "ann", { ttl: "1500ms", autoExtend: true });
  const ended = lastCountedOn(lock);
  await askRedis(server.port, (asked) => asked.flushall());
  const next = await locks.acquireLock("/a", "bob", { ttl: "1m" });
  expect(next.fencingToken).toBeGreaterThan(lock.fencingToken);
  expect(await ended).toBeLessThanOrEqual(lock.expiresAt.getTime());
});

test("Sentinel promotes a replica, and the store follows.", { timeout: 30_000 }, async ({ skip }) => {
  const [first, second] = [await redis(skip), await redis(skip)];
  await follow(second, first.port);
  const sentinel = await startSentinel(first.port, skip);
  const store = await open(`redis://127.0.0.1:${sentinel.port}?sentinel=main`);
  const ear = await listen(store);
  const before = await apply(store, put("a", 1));
  await expect
    .poll(() => askRedis(second.port, (asked) => asked.hlen("{engram-lock:engram-lock}:entries")), {
      interval: 10,
    })
    .toBe(1);
  await first.kill();
  await expect(store.commit([put("b")])).rejects.toThrow(anyFailure);
  await expect
    .poll(
      () =>
        store.read({ keys: ["a"] }).then(
          ({ entries }) => entries[0]?.value,
          (error: Error) => error.message,
        ),
      {
        interval: 20,
        timeout: 15_000,
      },
    )
    .toBe(1);
  expect(await apply(store, put("c"))).toBeGreaterThan(before);
  await expect
    .poll(() => attempt(store, { announce: ["/x"] }).then(() => ear.heard), { interval: 20, timeout: 5_000 })
    .toContain("/x");
});

test("A cluster of three: a namespace is in one place, is found from anywhere, and moves while it is used.", {
  timeout: 30_000,
}, async ({ skip }) => {
  const nodes = await cluster(skip);
  const [asked] = nodes;
  const namespaces = ["a", "b", "c", "d"].map(
    (name) => `redis://127.0.0.1:${asked!.port}?cluster=true&namespace=${name}`,
  );
  for (const url of namespaces) {
    const store = await open(url);
    const ear = await listen(store);
    await apply(store, put("x", url), put("y"));
    await attempt(store, { announce: ["/heard"] });
    await ear.hears("/heard");
    expect(await keysIn(store, { prefix: "" })).toEqual(["x", "y"]);
  }
  const plain = await Promise.all(
    nodes.map(({ url }) => open(`${url}?namespace=a`).catch((error: Error) => error)),
  );
  expect(
    plain.filter((answer) => answer instanceof Error && /cluster=true/.test(answer.message)),
  ).toHaveLength(2);

  const store = await open(namespaces[0]!);
  await moveSlot(nodes, "{engram-lock:a}");
  expect(await valueAt(store, "x")).toBe(namespaces[0]);
  await apply(store, put("z"));

  for (const { port } of nodes) await askRedis(port, (node) => node.config("SET", "requirepass", "secret"));
  await expect(open(namespaces[0]!)).rejects.toThrow(failure({ retryable: false }));
  await open(namespaces[0]!.replace("//", "//:secret@"));
});

test("A node of a cluster that is killed: its namespaces fail, and are back within a second of when the cluster counts on it again.", {
  timeout: 30_000,
}, async ({ skip }) => {
  const nodes = await cluster(skip, [
    "--appendonly",
    "yes",
    "--appendfsync",
    "no",
    "--cluster-require-full-coverage",
    "no",
  ]);
  const store = await open(`redis://127.0.0.1:${nodes[0]!.port}?cluster=true`);
  await apply(store, put("a", 1));
  const owner = nodes[await ownerOf(nodes, "{engram-lock:engram-lock}")]!;
  await owner.kill();
  await expect(store.commit([put("b")])).rejects.toThrow(anyFailure);
  await expect(store.read({})).rejects.toThrow(failure({ retryable: true }));
  // The namespaces of the other nodes are served, also to who comes now.
  const others = nodes.filter((node) => node !== owner);
  expect(await anyNamespaceServed(others[0]!)).toBe(true);
  await owner.restart();
  // A node waits two seconds before it takes part again.
  await untilClusterIsOk(owner);
  const back = performance.now();
  await expect
    .poll(
      () =>
        store.read({ keys: ["a"] }).then(
          ({ entries }) => entries[0]?.value,
          (error: Error) => error.message,
        ),
      { interval: 10, timeout: 5_000 },
    )
    .toBe(1);
  expect(performance.now() - back).toBeLessThan(1_000);
});

async function anyNamespaceServed({ port }: TestServer): Promise<boolean> {
  for (let n = 0; n < 20; n++) {
    const served = await open(`redis://127.0.0.1:${port}?cluster=true&namespace=other-${n}`).then(
      (store) => attempt(store, put("a")),
      () => undefined,
    );
    if (served?.applied === true) return true;
  }
  return false;
}

async function managerOn(url: string): Promise<LockManager> {
  const locks = await createLockManager({ maxRetries: 1 }, url);
  onTestFinished(() => locks.close());
  return locks;
}

async function follow(replica: TestServer, port: number): Promise<void> {
  await askRedis(replica.port, (asked) => asked.replicaof("127.0.0.1", port));
  await expect
    .poll(() => askRedis(replica.port, (asked) => asked.info("replication")), {
      interval: 20,
      timeout: 10_000,
    })
    .toMatch(/master_link_status:up/);
}

async function startSentinel(port: number, skip: TestContext["skip"]): Promise<TestServer> {
  const sentinel = await startServer({
    name: "sentinel",
    command: needRedis(skip),
    arguments: ({ folder }) => [join(folder, "sentinel.conf"), "--sentinel"],
    prepare: ({ folder, port: own }) =>
      writeFile(
        join(folder, "sentinel.conf"),
        [
          `port ${own}`,
          "bind 127.0.0.1",
          `dir ${folder}`,
          `sentinel monitor main 127.0.0.1 ${port} 1`,
          "sentinel down-after-milliseconds main 300",
          "sentinel failover-timeout main 3000",
        ].join("\n"),
      ),
    url: (own) => `redis://127.0.0.1:${own}?sentinel=main`,
    // Until it knows the replica, it cannot promote it.
    ask: (own) =>
      askRedis(own, async (asked) => {
        const replicas: unknown = await asked.call("SENTINEL", "replicas", "main");
        if (!Array.isArray(replicas) || replicas.length === 0) throw new Error("No replica is known yet.");
      }),
  });
  onTestFinished(() => sentinel.stop());
  return sentinel;
}

async function cluster(skip: TestContext["skip"], settings: readonly string[] = []): Promise<TestServer[]> {
  const command = need(findProgram("redis-cli"), "redis-tools", skip);
  const nodes = await Promise.all(
    [1, 2, 3].map(() =>
      redis(skip, ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000", ...settings]),
    ),
  );
  const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`);
  execFileSync(command, ["--cluster", "create", ...addresses, "--cluster-yes"], {
    stdio: "pipe",
    timeout: 20_000,
  });
  for (const node of nodes) await untilClusterIsOk(node);
  return nodes;
}

async function untilClusterIsOk({ port }: TestServer): Promise<void> {
  await expect
    .poll(() => askRedis(port, (asked) => asked.cluster("INFO")), { interval: 20, timeout: 10_000 })
    .toMatch(/cluster_state:ok/);
}

async function ownerOf(nodes: readonly TestServer[], key: string): Promise<number> {
  const has = await Promise.all(
    nodes.map(({ port }) =>
      askRedis(port, (asked) => asked.exists(key)).then(
        () => true,
        () => false,
      ),
    ),
  );
  return has.indexOf(true);
}

/** As `redis-cli --cluster reshard` does it. */
async function moveSlot(nodes: readonly TestServer[], key: string): Promise<void> {
  const from = nodes[await ownerOf(nodes, key)]!;
  const to = nodes.find((node) => node !== from)!;
  const idOf = (node: TestServer): Promise<string> =>
    askRedis(node.port, async (asked) => String(await asked.cluster("MYID")));
  const [fromId, toId] = [await idOf(from), await idOf(to)];
  const slot = await askRedis(from.port, (asked) => asked.cluster("KEYSLOT", key));
  await askRedis(to.port, (asked) => asked.cluster("SETSLOT", slot, "IMPORTING", fromId));
  await askRedis(from.port, async (asked) => {
    await asked.cluster("SETSLOT", slot, "MIGRATING", toId);
    const keys = await asked.cluster("GETKEYSINSLOT", slot, 100);
    await asked.call("MIGRATE", "127.0.0.1", to.port, "", 0, 5_000, "KEYS", ...keys.map(String));
  });
  for (const node of [to, from])
    await askRedis(node.port, (asked) => asked.cluster("SETSLOT", slot, "NODE", toId));
}
