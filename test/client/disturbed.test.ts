/** Clients behind a network that fails at random, each step compared with the true state. */
import { expect, onTestFinished, test } from "vitest";
import { connectLockManager } from "../../src/client/node.js";
import { systemClock } from "../../src/clock/system-clock.js";
import { createLockManager } from "../../src/create-lock-manager.js";
import { openMemoryStore } from "../../src/store/memory/memory-store.js";
import { Restless } from "../network/restless.js";
import { startTestServer } from "../server/running-server.js";
import { TcpProxy } from "../servers/tcp-proxy.js";
import { disturb, lostAt } from "../servers/trouble.js";
import { seededRandom } from "../support/seeded-random.js";

const seed = Number(process.env["NETWORK_SEED"] ?? 1);
const clients = 5;
const enough = 200;

test(`Connections that are cut, swallowed and delayed at random lose nothing that was acknowledged, double nothing and leave nothing (NETWORK_SEED=${seed}).`, {
  timeout: 90_000,
}, async () => {
  const random = seededRandom(seed);
  const store = openMemoryStore({ clock: systemClock });
  const config = { cleanupInterval: "300ms" } as const;
  const manager = await createLockManager(config, store);
  const api = await startTestServer({ manager });
  onTestFinished(() => api[Symbol.asyncDispose]());
  const run = new Restless(random, manager, store);
  const proxies: TcpProxy[] = [];
  for (let n = 0; n < clients; n++) {
    const proxy = await TcpProxy.to(api.port);
    const remote = connectLockManager(`http://127.0.0.1:${proxy.port}`);
    onTestFinished(async () => {
      await remote.close();
      await proxy.close();
    });
    proxies.push(proxy);
    run.employ(remote);
  }
  await disturb(proxies, random, (proxy) => proxy.strand());
  await expect.poll(() => run.counts.taken, { interval: 50, timeout: 20_000 }).toBeGreaterThan(enough);
  await run.finish();
  const lost = lostAt(proxies);
  console.log(`seed ${seed}: ${lost} pieces lost, ${JSON.stringify(run.counts)}`);
  expect(lost).toBeGreaterThan(clients);
  // The session goes on over the next connection: nobody had to be told that anything is unknown.
  expect(run.counts.unknown).toBe(0);
});
