/** A thousand clients with ten waiters each, all for one path. */
import { expect, onTestFinished, test } from "vitest";
import { connectLockManager } from "../../src/client/node.js";
import { startTestServer } from "../server/running-server.js";

const clients = 1_000;
const waitersEach = 10;

test(`${clients} clients with ${waitersEach} waiters each on one path are all served, each once, in the order in which they came.`, {
  timeout: 180_000,
}, async () => {
  const api = await startTestServer();
  const remotes = Array.from({ length: clients }, () => connectLockManager(api.url));
  onTestFinished(async () => {
    await Promise.all(remotes.map((remote) => remote.close()));
    await api[Symbol.asyncDispose]();
  });
  await Promise.all(remotes.map((remote) => remote.getStats()));
  const held = await api.manager.acquireLock("/one", "first", { ttl: "10m" });
  const served: string[] = [];
  const tokens: number[] = [];
  const began = performance.now();
  const all = Promise.all(
    remotes.flatMap((remote, client) =>
      Array.from({ length: waitersEach }, async (_, n) => {
        const lock = await remote.acquireLock("/one", `${client}-${n}`, { timeout: Infinity, ttl: "10m" });
        served.push(lock.agentId);
        tokens.push(lock.fencingToken);
        await lock.release();
      }),
    ),
  );
  await expect
    .poll(async () => (await api.manager.getStats()).waiters, { timeout: 60_000, interval: 100 })
    .toBe(clients * waitersEach);
  const { waiters } = await api.manager.getResource("/one");
  const order = waiters.map(({ agentId }) => agentId);
  await held.release();
  await all;
  console.log(`served ${served.length} in ${Math.round(performance.now() - began)} ms`);
  expect(served).toHaveLength(clients * waitersEach);
  expect(new Set(served).size).toBe(clients * waitersEach);
  expect(served.slice(0, order.length)).toEqual(order);
  // The order of grants, whichever connection they went to.
  expect(tokens).toEqual(tokens.toSorted((a, b) => a - b));
  // Those of one client, at least, came in this order.
  const ofOne = served.filter((agent) => agent.startsWith("7-"));
  expect(ofOne).toEqual(Array.from({ length: waitersEach }, (_, n) => `7-${n}`));
  expect(await api.manager.getStats()).toMatchObject({ locks: 0, waiters: 0 });
});
