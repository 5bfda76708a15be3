/** How long after a release in this process a waiter in another has the lock. */
import { expect, onTestFinished } from "vitest";
import { createLockManager } from "../../src/create-lock-manager.js";
import { startAgent } from "./agents.js";

/** In milliseconds. */
export interface HandOverTimes {
  readonly p50: number;
  readonly p99: number;
  readonly most: number;
}

export async function handOverTimes(url: string, rounds: number): Promise<HandOverTimes> {
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
  const nth = (share: number): number => late[Math.ceil(share * rounds) - 1] ?? 0;
  const times = { p50: nth(0.5), p99: nth(0.99), most: nth(1) };
  console.log(`release to next holder in another process: ${JSON.stringify(times)} ms`);
  return times;
}
