/** Several members: whoever does not answer is left for another one, and a leader that dies takes nothing with it. */
import { afterEach, expect, type TestContext, test } from "vitest";
import type { Store } from "../../src/store/store.js";
import { listen } from "../conformance/cases/hints.js";
import { apply, change, entryAt, put, valueAt } from "../conformance/changes.js";
import { ask, fresh, needEtcd, startCluster, startEtcd } from "../servers/etcd.js";
import type { TestServer } from "../servers/server.js";
import { freePort } from "../support/free-port.js";
import { hasty, openFor, untilItWorks } from "./stage.js";

let members: TestServer[] = [];
afterEach(async () => {
  await Promise.all(members.map((member) => member.stop()));
  members = [];
});

async function cluster(skip: TestContext["skip"], size: number): Promise<string> {
  needEtcd(skip);
  members = size === 1 ? [await startEtcd()] : await startCluster(size);
  return `etcd://${members.map(({ port }) => `127.0.0.1:${port}`).join()}`;
}

test("A member that cannot be reached costs nothing but the attempt.", async ({ skip }) => {
  const url = await cluster(skip, 1);
  const store = await openFor(url.replace("127.0.0.1", `127.0.0.1:${await freePort()},127.0.0.1`));
  await apply(store, put("a", 1));
  expect(await valueAt(store, "a")).toBe(1);
});

test("A leader that dies under load: what was acknowledged is there, and service is back after the election.", async ({
  skip,
}) => {
  const url = fresh(await cluster(skip, 3));
  const stores = await Promise.all(members.map(() => openFor(url)));
  const ear = await listen(stores[0]!);
  const tally = { counted: 0, acknowledged: 0 };
  let isOver = false;
  const workers = stores.map((store) => work(store, tally, () => isOver));
  await untilCounted(tally, 30);

  const leader = await leaderOf(members);
  const before = tally.acknowledged;
  await leader.kill();
  const died = performance.now();
  await untilCounted(tally, before + 30);
  // Followers notice within one election timeout (1 s to 2 s), and elect.
  expect(performance.now() - died).toBeLessThan(10_000);
  isOver = true;
  await Promise.all(workers);

  const total = await untilItWorks(() => valueAt(stores[0]!, "count"), 5_000);
  // Each acknowledged increment is in the count, and each one that was found by reading only once.
  expect(total).toBe(tally.counted);
  await apply(stores[1]!, change({ announce: ["/after"] }));
  await ear.hears("/after");
}, 40_000);

test("A member without a majority refuses at once, and another one is asked.", async ({ skip }) => {
  const url = fresh(await cluster(skip, 3));
  const store = await openFor(url, hasty);
  await apply(store, put("a", 1));
  const [first, ...others] = members;
  for (const member of others) await member.kill();
  // Alone, the first member has lost its leader; it says so, instead of waiting for one.
  await expect(store.commit([put("a", 2)])).rejects.toMatchObject({ name: "StoreError", retryable: true });
  await Promise.all(others.map((member) => member.restart()));
  await untilItWorks(() => apply(store, put("a", 3)), 10_000);
  await first!.kill();
  await untilItWorks(() => apply(store, put("a", 4)), 10_000);
  expect(await untilItWorks(() => valueAt(store, "a"), 5_000)).toBe(4);
}, 40_000);

/** Counts up one key. `counted`: increments that are surely applied, whether acknowledged or found out by reading. */
async function work(
  store: Store,
  tally: { counted: number; acknowledged: number },
  isOver: () => boolean,
): Promise<void> {
  const me = Math.random();
  for (let turn = 0; !isOver(); ) {
    const entry = await untilItWorks(() => entryAt(store, "count"), 15_000);
    const next = {
      expect: [{ key: "count", revision: entry?.revision ?? 0 }],
      put: [
        { key: "count", value: Number(entry?.value ?? 0) + 1 },
        { key: `turn of ${me}`, value: turn },
      ],
    };
    try {
      const [outcome] = (await store.commit([change(next)])).outcomes;
      if (outcome?.applied !== true) continue;
      tally.acknowledged++;
    } catch {
      // Unknown: whether this turn was counted stands in the key of its own.
      if ((await untilItWorks(() => valueAt(store, `turn of ${me}`), 15_000)) !== turn) continue;
    }
    tally.counted++;
    turn++;
  }
}

async function untilCounted(tally: { acknowledged: number }, count: number): Promise<void> {
  await untilItWorks(async () => {
    if (tally.acknowledged < count) throw new Error(`Only ${tally.acknowledged} of ${count} were counted.`);
  }, 20_000);
}

async function leaderOf(all: readonly TestServer[]): Promise<TestServer> {
  for (const member of all) {
    const { header, leader } = (await ask(
      `http://127.0.0.1:${member.port}`,
      "/v3/maintenance/status",
      {},
    )) as {
      header: { member_id: string };
      leader: string;
    };
    if (header.member_id === leader) return member;
  }
  throw new Error("There is no leader.");
}
