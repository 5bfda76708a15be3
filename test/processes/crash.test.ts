/** Processes that are killed under load: what was acknowledged is there, and what they waited for goes to others. */
import { expect, onTestFinished, test } from "vitest";
import { createLockManager } from "../../src/create-lock-manager.js";
import { scratch, startAgent } from "./agents.js";
import { points } from "./crash/points.js";
import { killInRounds } from "./crash/rounds.js";

const rounds = 25;

test(`After kill -9 at named points under load, ${rounds} times, nothing acknowledged is lost and nothing is there by halves.`, {
  timeout: 300_000,
}, async () => {
  const { directory } = await scratch();
  const { kills, withinFlush, acknowledged } = await killInRounds({ rounds, seed: 1, directory });
  for (const point of points) expect([point, kills[point]]).toEqual([point, expect.toBeOneOf([2, 3])]);
  expect(acknowledged).toBeGreaterThan(1_000);
  console.log(`${rounds} kills, ${withinFlush} within a flush: ${acknowledged} acknowledgements, none lost`);
});

test("Those who live go on, though a process was killed when it had just been woken to write.", {
  timeout: 120_000,
}, async () => {
  const { directory } = await scratch();
  const { kills } = await killInRounds({ rounds: 12, seed: 1, directory, only: ["waiting"] });
  expect(kills.waiting).toBe(12);
});

test("The waiter of a killed process is stepped over once its word has lapsed, and not before.", {
  timeout: 60_000,
}, async () => {
  const { url } = await scratch();
  const locks = await createLockManager({}, url);
  onTestFinished(() => locks.close());
  const held = await locks.acquireLock("/a", "ann", { ttl: "10m" });
  const killed = await startAgent(url, "queue", ["/a"]);
  expect(await killed.next()).toEqual(["asked"]);
  await expect.poll(() => locks.getResource("/a"), { timeout: 5_000 }).toMatchObject({ queueLength: 1 });
  const next = locks.acquireLock("/a", "bob", { timeout: "30s" });
  await expect.poll(() => locks.getResource("/a"), { timeout: 5_000 }).toMatchObject({ queueLength: 2 });
  killed.signal("SIGKILL");
  await killed.ended;
  const began = performance.now();
  await held.release();
  const lock = await next;
  const seconds = (performance.now() - began) / 1_000;
  // Its word was good for ten seconds, and was given within the last three.
  expect(seconds).toBeGreaterThan(4);
  expect(seconds).toBeLessThan(13);
  expect(lock.fencingToken).toBeGreaterThan(held.fencingToken);
  console.log(`stepped over ${seconds.toFixed(1)} s after the kill`);
  await lock.release();
});

test("The locks of a killed process stay until their time is over, and end then.", {
  timeout: 30_000,
}, async () => {
  const { url } = await scratch();
  const locks = await createLockManager({}, url);
  onTestFinished(() => locks.close());
  const agent = await startAgent(url, "hold", ["/a", "1500ms"]);
  agent.tell("take it");
  const [, token] = await agent.next();
  agent.signal("SIGKILL");
  await agent.ended;
  const ends = (await locks.getLock("/a"))?.expiresAt.getTime() ?? 0;
  expect(ends).toBeGreaterThan(0);
  const lock = await locks.acquireLock("/a", "bob", { timeout: "10s" });
  expect(lock.acquiredAt.getTime()).toBeGreaterThanOrEqual(ends);
  expect(lock.acquiredAt.getTime()).toBeLessThan(ends + 250);
  expect(lock.fencingToken).toBeGreaterThan(Number(token));
});
