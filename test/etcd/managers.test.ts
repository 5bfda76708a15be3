/** Several managers on one cluster, each with a store of its own, as in several processes. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { createLockManager } from "../../src/create-lock-manager.js";
import type { LockManager } from "../../src/lock-manager.js";
import { etcdProgram, fresh, needEtcd, startEtcd } from "../servers/etcd.js";
import type { TestServer } from "../servers/server.js";
import { proxyTo } from "./stage.js";

let server: TestServer;
beforeAll(async () => {
  if (etcdProgram !== undefined) server = await startEtcd();
}, 30_000);
afterAll(() => server?.stop());

async function managerOn(url: string): Promise<LockManager> {
  const manager = await createLockManager({ acquisitionTimeout: "10s" }, url);
  onTestFinished(() => manager.close());
  return manager;
}

test("A waiter in another process is served by a hint, not by its slow poll.", async ({ skip }) => {
  needEtcd(skip);
  const url = fresh(server.url);
  const managers = [await managerOn(url), await managerOn(url)];
  const waits: number[] = [];
  let held = await managers[0]!.acquireLock("/hot", "agent-0");
  let token = held.fencingToken;
  for (let turn = 1; turn <= 9; turn++) {
    const manager = managers[turn % 2]!;
    const next = manager.acquireLock("/hot", `agent-${turn % 2}`);
    const other = managers[(turn + 1) % 2]!;
    while ((await other.getResource("/hot")).queueLength === 0);
    const began = performance.now();
    await held.release();
    held = await next;
    waits.push(performance.now() - began);
    expect(held.fencingToken).toBeGreaterThan(token);
    token = held.fencingToken;
  }
  // The slow poll comes after a second.
  expect(waits.toSorted((a, b) => a - b)[4]).toBeLessThan(250);
});

test("A process is not kept alive by a store that is only open, nor by its locks.", async ({ skip }) => {
  needEtcd(skip);
  const program = `
    import { createLockManager } from ${JSON.stringify(new URL("../../dist/index.js", import.meta.url).href)};
    const locks = await createLockManager({}, ${JSON.stringify(fresh(server.url))});
    await locks.acquireLock("/a", "ann", { autoExtend: true });
  `;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program], { stdio: "inherit" });
  onTestFinished(() => void child.kill());
  const [code] = (await once(child, "exit")) as [number | null];
  expect(code).toBe(0);
}, 20_000);

test("Fifty paths of one folder are acquired at once.", async ({ skip }) => {
  needEtcd(skip);
  const manager = await managerOn(fresh(server.url));
  const paths = Array.from({ length: 50 }, (_, n) => `/repo/src/file-${n}.ts`);
  const held = await manager.acquireMultipleLocks(paths, "agent");
  expect(held.map(({ resourcePath }) => resourcePath)).toEqual(paths);
  await Promise.all(held.map((lock) => lock.release()));
  expect(await manager.getLockCount()).toBe(0);
});

test("Agents of three managers that take turns on one path never meet, while connections are cut.", async ({
  skip,
}) => {
  needEtcd(skip);
  const url = fresh(server.url);
  const proxy = await proxyTo(server.port);
  const behind = url.replace(`:${server.port}`, `:${proxy.port}`);
  const managers = [await managerOn(url), await managerOn(behind), await managerOn(behind)];
  let inside = 0;
  let turns = 0;
  const cutting = setInterval(() => proxy.cut(), 150);
  const agents = managers.map(async (manager, n) => {
    for (let turn = 0; turn < 6; ) {
      try {
        const lock = await manager.acquireLock("/hot", `agent-${n}`, { ttl: "20s", timeout: "20s" });
        inside++;
        expect(inside).toBe(1);
        await new Promise((resolve) => setImmediate(resolve));
        inside--;
        await lock.release();
        turn++;
        turns++;
      } catch (error) {
        expect(error).toMatchObject({ name: "LockError", family: "failed" });
      }
    }
  });
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  clearInterval(cutting);
  await Promise.all(agents);
  expect(turns).toBe(18);
  expect(await managers[0]!.getLockCount()).toBe(0);
}, 60_000);
