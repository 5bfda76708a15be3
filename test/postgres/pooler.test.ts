/** Behind a pooler of transactions, where no two requests need to meet the same session. */
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { createLockManager } from "../../src/create-lock-manager.js";
import type { LockManager } from "../../src/lock-manager.js";
import { apply, change, keysIn, put } from "../conformance/changes.js";
import { leftovers } from "../manager/stage.js";
import { pgbouncerProgram, startPgbouncer } from "../servers/pgbouncer.js";
import { postgresPrograms, startPostgres } from "../servers/postgres.js";
import { need, type TestServer } from "../servers/server.js";
import { openStore, urlWith } from "./stage.js";

const programs = postgresPrograms();
let server: TestServer | undefined;
let pooler: TestServer | undefined;
beforeAll(async () => {
  if (programs === undefined || pgbouncerProgram === undefined) return;
  server = await startPostgres(programs);
  pooler = await startPgbouncer(pgbouncerProgram, server);
});
afterAll(async () => {
  await pooler?.stop();
  await server?.stop();
});

test("Many handles that share two sessions exclude each other.", { timeout: 60_000 }, async ({ skip }) => {
  const url = urlWith(need(pooler, "pgbouncer", skip).url);
  const stores = await Promise.all(Array.from({ length: 6 }, () => openStore(url)));
  for (let round = 0; round < 50; round++) {
    const keys = Array.from({ length: 5 }, (_, n) => `${round}/${n}`);
    const changes = keys.map((key) =>
      change({ expect: [{ key, revision: 0 }], put: [{ key, value: round }] }),
    );
    const replies = await Promise.all(stores.map((store) => store.commit(changes)));
    expect(replies.filter(({ outcomes }) => outcomes.some(({ applied }) => applied))).toHaveLength(1);
    expect(await keysIn(stores[round % 6]!, { prefix: `${round}/` })).toEqual(keys);
  }
});

test("A waiter of another manager is served by the slow poll, because hints do not get through.", {
  timeout: 60_000,
}, async ({ skip }) => {
  const url = urlWith(need(pooler, "pgbouncer", skip).url);
  const manager = async (): Promise<LockManager> => {
    const made = await createLockManager({}, url);
    onTestFinished(() => made.close());
    return made;
  };
  const [here, there] = [await manager(), await manager()];
  const held = await here.acquireLock("/a", "ann");
  const served = there.acquireLock("/a", "bob", { timeout: "30s" });
  await expect.poll(async () => (await here.getResource("/a"))?.queueLength).toBe(1);
  await held.release();
  const lock = await served;
  expect(lock.fencingToken).toBeGreaterThan(held.fencingToken);
  await lock.release();
  expect(await leftovers(await openStore(url))).toEqual([]);
});

test("A pooler that is ended and started again is used again.", async ({ skip }) => {
  const running = need(pooler, "pgbouncer", skip);
  const store = await openStore(urlWith(running.url));
  await apply(store, put("a"));
  await running.kill();
  await expect.poll(() => store.read({}).catch((error: unknown) => error)).toMatchObject({ outcome: "none" });
  await running.restart();
  await expect.poll(() => keysIn(store, { prefix: "" }).catch(() => undefined)).toEqual(["a"]);
});
