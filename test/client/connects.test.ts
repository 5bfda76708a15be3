/** Connections come and go: nothing stays behind. `CONNECTS=100000` for a long run. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { WebSocket as UndiciSocket } from "undici";
import { expect, onTestFinished, test } from "vitest";
import { type ConnectOptions, connectLockManager } from "../../src/client/connect.js";
import { connectLockManager as connectInNode } from "../../src/client/node.js";
import { startTestServer } from "../server/running-server.js";

const connects = Number(process.env["CONNECTS"] ?? 1_000);
const atOnce = 20;
/** A session that stays, with its connection, would be ten times that; the heap itself wavers by a megabyte. */
const mostBytesEach = 4_000;

setFlagsFromString("--expose-gc");
const gc: () => void = runInNewContext("gc");

async function heapInUse(): Promise<number> {
  for (let n = 0; n < 3; n++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    gc();
  }
  return process.memoryUsage().heapUsed;
}

test(`After ${connects} connects and disconnects nothing is left of them.`, {
  timeout: 60_000 + connects * 20,
}, async () => {
  const api = await startTestServer();
  onTestFinished(() => api[Symbol.asyncDispose]());
  const handles = (): number => process.getActiveResourcesInfo().length;
  await comeAndGo(api.url, 500);
  const [before, handlesBefore] = [await heapInUse(), handles()];
  await comeAndGo(api.url, connects);
  const after = await heapInUse();
  console.log(`heap ${before} B before, ${after} B after ${connects} connects`);
  expect((after - before) / connects).toBeLessThan(mostBytesEach);
  expect(await api.manager.getStats()).toMatchObject({ locks: 0, waiters: 0 });
  await expect.poll(handles, { timeout: 10_000 }).toBeLessThanOrEqual(handlesBefore);
});

async function comeAndGo(url: string, count: number): Promise<void> {
  for (let n = 0; n < count; n += atOnce) {
    await Promise.all(
      Array.from({ length: atOnce }, async (_, index) => {
        const remote = connectInNode(url);
        const lock = await remote.acquireLock(`/${index}`, "ann", { timeout: "10s", autoExtend: true });
        // Some wait while they go.
        if (index % 4 === 0) remote.acquireLock(`/${index}`, "bob", { timeout: "1m" }).catch(() => undefined);
        if (index % 2 === 0) await lock.release();
        await remote.close({ release: true });
      }),
    );
  }
}

test.for<[string, ConnectOptions]>([
  ["A standard WebSocket", { WebSocket: UndiciSocket }],
  ["The WebSocket of the runtime", {}],
])("%s will do.", async ([, options], { skip }) => {
  if (options.WebSocket === undefined && !("WebSocket" in globalThis)) skip("Node has one from 22 on.");
  const api = await startTestServer();
  onTestFinished(() => api[Symbol.asyncDispose]());
  const remote = connectLockManager(api.url, options);
  const other = connectLockManager(api.url, options);
  const lock = await remote.acquireLock("/a", "ann", { ttl: "30s" });
  const events = other.events({ types: ["released"] });
  const waiting = other.acquireLock("/a", "bob", { timeout: "10s" });
  await expect.poll(async () => (await other.getStats()).waiters).toBe(1);
  await lock.extend("1m");
  expect(await lock.release()).toBe(true);
  expect(await waiting).toMatchObject({ agentId: "bob" });
  expect((await events.next()).value).toMatchObject({ type: "released", agentId: "ann" });
  await Promise.all([remote.close({ release: true }), other.close({ release: true })]);
  expect(await api.manager.getLockCount()).toBe(0);
  const nobody = connectLockManager("http://127.0.0.1:1", options);
  await expect(nobody.getStats()).rejects.toMatchObject({ code: "store_unavailable" });
  await nobody.close();
});

/** As in Node 22.23, of whose WebSocket only an error comes when nobody listens. */
class SilentSocket extends UndiciSocket {
  override get onclose(): null {
    return null;
  }

  override set onclose(_: unknown) {}
}

test("A WebSocket that tells only of an error when there is no server is not waited for.", async () => {
  const nobody = connectLockManager("http://127.0.0.1:1", { WebSocket: SilentSocket });
  onTestFinished(() => nobody.close());
  const began = performance.now();
  await expect(nobody.getStats()).rejects.toMatchObject({ code: "store_unavailable" });
  // A server that does not answer would be waited for for 5 s.
  expect(performance.now() - began).toBeLessThan(4_000);
});

test("A wait ends when its timeout is over, and not much later.", { timeout: 30_000 }, async () => {
  const api = await startTestServer();
  onTestFinished(() => api[Symbol.asyncDispose]());
  const remote = connectInNode(api.url);
  onTestFinished(() => remote.close());
  await api.manager.acquireLock("/a", "bob", { ttl: "10m" });
  const late: number[] = [];
  for (let n = 0; n < 20; n++) {
    const began = performance.now();
    await expect(remote.acquireLock("/a", "ann", { timeout: 100 })).rejects.toMatchObject({ code: "held" });
    late.push(performance.now() - began - 100);
  }
  late.sort((a, b) => a - b);
  const median = late[late.length / 2]!;
  console.log(`late by ${median.toFixed(1)} ms on the median, ${late.at(-1)?.toFixed(1)} ms at most`);
  expect(late[0]).toBeGreaterThanOrEqual(-1);
  // Meant to be 50; this machine may be busy.
  expect(median).toBeLessThan(500);
});
