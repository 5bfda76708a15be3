/** A waiter in one process is served soon after a release in another. */
import { expect, onTestFinished, test } from "vitest";
import { createLockManager } from "../../src/create-lock-manager.js";
import { scratch, startAgent } from "./agents.js";

const rounds = 100;

test("A waiter in another process is served within 250 ms of a release (p99 of 100).", {
  timeout: 60_000,
}, async () => {
  const { url } = await scratch();
  const locks = await createLockManager({}, url);
  onTestFinished(() => locks.close());
  const agent = await startAgent(url, "wait", ["/a"]);
  const late: number[] = [];
  let last = 0;
  for (let round = 0; round < rounds; round++) {
    const lock = await locks.acquireLock("/a", "ann");
    expect(lock.fencingToken).toBeGreaterThan(last);
    agent.tell("ask");
    expect(await agent.next()).toEqual(["asked"]);
    await expect
      .poll(() => locks.getResource("/a"), { interval: 1, timeout: 5_000 })
      .toMatchObject({ queueLength: 1 });
    const released = Date.now();
    await lock.release();
    const [what, at, token] = await agent.next();
    expect(what).toBe("held");
    late.push(Number(at) - released);
    last = Number(token);
    expect(last).toBeGreaterThan(lock.fencingToken);
    expect(await agent.next()).toEqual(["released"]);
  }
  agent.finish();
  expect(await agent.ended).toBe(0);
  late.sort((a, b) => a - b);
  const figures = { p50: late[50] ?? 0, p99: late[99 - 1] ?? 0, most: late.at(-1) ?? 0 };
  console.log(`release to next holder in another process: ${JSON.stringify(figures)} ms`);
  // Far above what is measured, and below the slow poll.
  expect(figures.p99).toBeLessThanOrEqual(250);
});
