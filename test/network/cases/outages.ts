/** The server goes away and comes back. */
import { expect, test } from "vitest";
import type { LockManager } from "../../../src/lock-manager.js";
import { refusal } from "../../manager/stage.js";
import { lastCountedOn } from "../../support/last-counted-on.js";
import { type FindPlace, managerOn } from "../network-suite.js";

const maxRetries = 2;
const config = { maxRetries, retryDelay: "20ms", retryJitter: 0 } as const;
const backWithinMs = 1_000;

export function outageCases(find: FindPlace): void {
  test("While nobody can connect, acquires are refused after the retries, and a holder is told before its lock has expired; then all is well.", {
    timeout: 30_000,
  }, async ({ skip }) => {
    const place = await find(skip);
    const { proxy, url } = await place.proxied();
    const locks = await managerOn(url, config);
    const observer = await managerOn(place.url);
    const held = await locks.acquireLock("/held", "ann", { ttl: "1500ms", autoExtend: true });
    const told = lastCountedOn(held);
    proxy.refuse();
    await isUnavailable(locks);
    const shown = await observer.getLock("/held");
    expect(await told).toBeLessThanOrEqual(shown?.expiresAt.getTime() ?? 0);
    // Whoever waits for it gets it when its time is over.
    const next = await observer.acquireLock("/held", "bob", { timeout: "5s" });
    expect(next.fencingToken).toBeGreaterThan(held.fencingToken);

    proxy.restore();
    expect(await timeUntilServed(locks)).toBeLessThanOrEqual(backWithinMs);
  });

  test("The server is killed: acquires are refused, holders are told in time, and a second after its return all is well.", {
    timeout: 30_000,
  }, async ({ skip }) => {
    const { server, url } = await find(skip);
    const locks = await managerOn(url, config);
    const other = await managerOn(url, config);
    const held = await locks.acquireLock("/held", "ann", { ttl: "1500ms", autoExtend: true });
    const kept = await other.acquireLock("/kept", "bob", { ttl: "1m" });
    const told = lastCountedOn(held);
    await server.kill();
    const latestExpiry = Date.now() + held.ttlMs;
    await isUnavailable(locks);
    expect(await told).toBeLessThanOrEqual(latestExpiry);

    await server.restart();
    expect(await timeUntilServed(locks)).toBeLessThanOrEqual(backWithinMs);
    expect(await timeUntilServed(other)).toBeLessThanOrEqual(backWithinMs);
    // What was acknowledged is there.
    expect(await locks.getLock("/kept")).toMatchObject({ lockId: kept.lockId });
    expect(await kept.release()).toBe(true);
    expect((await locks.acquireLock("/kept", "ann")).fencingToken).toBeGreaterThan(kept.fencingToken);
  });
}

async function isUnavailable(locks: LockManager): Promise<void> {
  // The first call may have been under way, and its outcome unknown, when the server went.
  await locks.acquireLock("/first", "cat", { timeout: 0 }).catch(() => undefined);
  const error = await refusal(locks.acquireLock("/other", "cat", { timeout: 0 }), "store_unavailable");
  expect(error.message).toContain(`after ${maxRetries + 1} tries`);
}

async function timeUntilServed(locks: LockManager): Promise<number> {
  const began = performance.now();
  await expect
    .poll(
      () =>
        locks.acquireLock("/back", "dan", { ttl: "1m" }).then(
          (lock) => lock.release(),
          () => false,
        ),
      {
        interval: 10,
        timeout: 10_000,
      },
    )
    .toBe(true);
  return performance.now() - began;
}
