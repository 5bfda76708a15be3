/** Processes that are killed under load: what was acknowledged is there, and what they waited for goes to others. */
import { expect, onTestFinished, test } from "vitest";
import { createLockManager } from "../../src/create-lock-manager.js";
import type { Lock, LockManager } from "../../src/lock-manager.js";
import { type Agent, scratch, startAgent } from "./agents.js";

const rounds = 20;

interface Said {
  readonly path: string;
  readonly token: number;
  /** `unsure`: its release was begun, and the process was killed before it was answered. */
  state: "held" | "unsure" | "released";
  expiresAt: number;
}

/** What a killed process had been told, by lock id. */
function saidBy(agent: Agent): Map<string, Said> {
  const said = new Map<string, Said>();
  for (const line of agent.lines) {
    const [what, path = "", lockId = "", number] = line.split(" ");
    const lock = said.get(lockId);
    if (what === "held") said.set(lockId, { path, token: Number(number), state: "held", expiresAt: 0 });
    else if (what === "extended" && lock !== undefined) lock.expiresAt = Number(number);
    else if (what === "releasing" && lock !== undefined) lock.state = "unsure";
    else if (what === "released" && lock !== undefined) lock.state = "released";
  }
  return said;
}

async function allLocks(locks: LockManager): Promise<Map<string, Lock>> {
  const found = new Map<string, Lock>();
  let cursor: string | undefined;
  do {
    const page = await locks.listLocks(cursor === undefined ? {} : { cursor });
    for (const lock of page.locks) found.set(lock.lockId, lock);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return found;
}

test(`After kill -9 under load, ${rounds} times, every acknowledged lock is there, and no token comes again.`, {
  timeout: 120_000,
}, async () => {
  const { url } = await scratch();
  const acknowledged = new Map<string, Said>();
  const tokens = new Set<number>();
  let last = 0;
  for (let round = 0; round < rounds; round++) {
    const agent = await startAgent(url, "load", round);
    // Each time at another moment of its work.
    for (let lines = 0; lines < 40 + round * 13; lines++) await agent.next();
    agent.signal("SIGKILL");
    await agent.ended;
    const said = saidBy(agent);
    expect(said.size).toBeGreaterThan(10);
    const first = Math.min(...[...said.values()].map(({ token }) => token));
    expect(first).toBeGreaterThan(last);
    for (const [lockId, lock] of said) acknowledged.set(lockId, lock);
    for (const { token } of said.values()) tokens.add(token);
    last = Math.max(last, ...[...said.values()].map(({ token }) => token));
  }
  const locks = await createLockManager({}, url);
  onTestFinished(() => locks.close());
  const found = await allLocks(locks);
  for (const [lockId, { path, token, state, expiresAt }] of acknowledged) {
    const lock = found.get(lockId);
    if (state === "released") expect(lock).toBeUndefined();
    else if (state === "held") {
      expect(lock).toMatchObject({ resourcePath: path, fencingToken: token });
      if (expiresAt > 0) expect(lock?.expiresAt.getTime()).toBe(expiresAt);
    }
  }
  // Whatever else is there was on its way when its process was killed; it is a lock like any other.
  for (const lock of found.values()) expect(lock.resourcePath).toMatch(/^\/load\/\d+\/\d+\/\d+$/);
  const mine = await locks.acquireLock("/after", "test");
  expect(mine.fencingToken).toBeGreaterThan(last);
  const counts = { acknowledged: 0, held: 0, tokens: tokens.size };
  for (const { state } of acknowledged.values()) {
    counts.acknowledged++;
    if (state === "held") counts.held++;
  }
  console.log(`${rounds} kills: ${counts.acknowledged} locks acknowledged, ${counts.held} held to the end`);
});

test("The waiter of a killed process is stepped over once its word has lapsed, and not before.", {
  timeout: 60_000,
}, async () => {
  const { url } = await scratch();
  const locks = await createLockManager({}, url);
  onTestFinished(() => locks.close());
  const held = await locks.acquireLock("/a", "ann", { ttl: "10m" });
  const killed = await startAgent(url, "queue", "/a");
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
  const agent = await startAgent(url, "hold", "/a", "1500ms");
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
