/** Processes that are stopped, and servers that keep silent. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test } from "vitest";
import { connectLockManager } from "../../src/client/node.js";
import { startLockServer } from "../servers/lock-server.js";
import { lastCountedOn } from "../support/last-counted-on.js";

/** A holder in a process of its own: prints that it holds, and for each line that comes in what it sees first. */
const holder = `
import { connectLockManager } from "engram-lock/client";
import { createInterface } from "node:readline";
const locks = connectLockManager(process.argv[1]);
const lock = await locks.acquireLock("/a", "ann", { ttl: "2s", autoExtend: true });
console.log("held");
for await (const _ of createInterface({ input: process.stdin })) {
  const { aborted, reason } = lock.signal;
  console.log(aborted ? reason.message : "held");
}
await locks.close();
`;

async function startHolder(url: string) {
  const child = spawn(process.execPath, ["--input-type=module", "-e", holder, url], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => String((await lines.next()).value);
  expect(await next()).toBe("held");
  return { child, next, ask: () => child.stdin.write("?\n") };
}

test("A client that was stopped beyond its ttl sees at once that its lock is lost, for how long it was stopped, and ends cleanly.", {
  timeout: 60_000,
}, async () => {
  const server = await startLockServer();
  const { child, next, ask } = await startHolder(server.url);
  child.kill("SIGSTOP");
  ask();
  const other = connectLockManager(server.url);
  onTestFinished(() => other.close());
  const lock = await other.acquireLock("/a", "bob", { timeout: "30s" });
  // For longer than a busy process would be late.
  await expect(other.acquireLock("/a", "cat", { timeout: "2500ms" })).rejects.toMatchObject({ code: "held" });
  child.kill("SIGCONT");
  expect(await next()).toMatch(
    /lost: it expired without having been extended.*this process was stopped for \d+/,
  );
  expect((await other.getLock("/a"))?.lockId).toBe(lock.lockId);
  const ended = once(child, "exit");
  child.stdin.end();
  expect(await ended).toEqual([0, null]);
});

test("A server that is stopped: holders are told before their locks expire, calls end within half a minute, and once it goes on all is well.", {
  timeout: 90_000,
}, async () => {
  const server = await startLockServer();
  const remote = connectLockManager(server.url);
  onTestFinished(() => remote.close());
  const held = await remote.acquireLock("/a", "ann", { ttl: "3s", autoExtend: true });
  const kept = await remote.acquireLock("/b", "ann", { ttl: "5m", autoExtend: true });
  const told = lastCountedOn(held);
  const latestExpiry = Date.now() + 3_000;
  server.pause();
  const began = performance.now();
  const calls = [remote.getStats(), remote.acquireLock("/c", "ann", { timeout: 0 })];
  const ends = await Promise.allSettled(calls);
  const noticedMs = performance.now() - began;
  console.log(`noticed after ${Math.round(noticedMs)} ms`);
  expect(ends.map((end) => (end.status === "rejected" ? end.reason.code : end.status))).toEqual([
    "store_unavailable",
    "outcome_unknown",
  ]);
  expect(noticedMs).toBeLessThan(35_000);
  expect(await told).toBeLessThanOrEqual(latestExpiry);
  expect(held.signal.reason.message).toMatch(/expired without having been extended/);
  server.resume();
  await expect
    .poll(
      () =>
        remote.getStats().then(
          () => true,
          () => false,
        ),
      { timeout: 15_000, interval: 100 },
    )
    .toBe(true);
  expect(kept.signal.reason).toBeUndefined();
  expect(await kept.release()).toBe(true);
});

test("A process whose server does not answer any more ends soon after `close`.", {
  timeout: 60_000,
}, async () => {
  const server = await startLockServer();
  const { child } = await startHolder(server.url);
  server.pause();
  const began = performance.now();
  const ended = once(child, "exit");
  child.stdin.end();
  expect(await ended).toEqual([0, null]);
  expect(performance.now() - began).toBeLessThan(10_000);
});
