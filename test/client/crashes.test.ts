/** A server that is killed under two hundred clients, and comes back. */
import { expect, onTestFinished, test } from "vitest";
import { connectLockManager } from "../../src/client/node.js";
import { createLockManager } from "../../src/create-lock-manager.js";
import { LockError } from "../../src/errors.js";
import type { AcquiredLock, LockManager } from "../../src/lock-manager.js";
import { openStore } from "../../src/open-store.js";
import { leftovers } from "../manager/stage.js";
import { startLockServer } from "../servers/lock-server.js";

const clients = 200;
const paths = 20;
const crashes = 2;
/** Of what is fought over: a lock whose grant died with the server is in the way for so long. */
const ttl = "3s";

/** What all of them do, and what of it cannot be. */
class Crowd {
  readonly violations: string[] = [];
  readonly counts: Record<string, number> = { served: 0 };
  readonly #holders = new Map<string, AcquiredLock>();
  readonly #tokens = new Map<string, number>();
  #isOver = false;

  finish(): void {
    this.#isOver = true;
  }

  /** Takes and gives back a path that others want as well, again and again. */
  async work(locks: LockManager, number: number): Promise<void> {
    const path = `/hot/${number % paths}`;
    while (!this.#isOver) {
      try {
        const lock = await locks.acquireLock(path, `worker-${number}`, { ttl, timeout: "50s" });
        this.#taken(path, lock);
        await new Promise((resolve) => setTimeout(resolve, 5));
        if (this.#holders.get(path) === lock) this.#holders.delete(path);
        await lock.release();
        this.#count("served");
      } catch (error) {
        if (!(error instanceof LockError)) throw error;
        this.#count(error.code);
      }
    }
  }

  #taken(path: string, lock: AcquiredLock): void {
    const other = this.#holders.get(path);
    if (other !== undefined && other.lockId !== lock.lockId && !other.signal.aborted)
      this.violations.push(`${path} is given to ${lock.agentId} while ${other.agentId} counts on it`);
    const last = this.#tokens.get(path) ?? 0;
    if (lock.fencingToken <= last)
      this.violations.push(`${path} has token ${lock.fencingToken} after ${last}`);
    this.#tokens.set(path, lock.fencingToken);
    this.#holders.set(path, lock);
  }

  #count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }
}

test(`A server that is killed under ${clients} clients, and comes back: holders keep their locks, who waits queues again by itself, nothing is doubled and nothing is left.`, {
  timeout: 120_000,
}, async () => {
  const server = await startLockServer();
  const remotes = Array.from({ length: clients }, () => connectLockManager(server.url));
  onTestFinished(async () => {
    await Promise.all(remotes.map((remote) => remote.close()));
  });
  const held = await Promise.all(
    remotes.map((remote, n) =>
      remote.acquireLock(`/own/${n}`, `holder-${n}`, { ttl: "1m", autoExtend: true }),
    ),
  );
  const crowd = new Crowd();
  const working = Promise.all(remotes.map((remote, n) => crowd.work(remote, n)));
  for (let crash = 0; crash < crashes; crash++) {
    const before = crowd.counts["served"] ?? 0;
    await expect.poll(() => crowd.counts["served"], { timeout: 30_000 }).toBeGreaterThan(before + clients);
    await server.kill();
    await server.restart();
  }
  // All of them get on, a queue of the dead or not.
  const before = crowd.counts["served"] ?? 0;
  await expect.poll(() => crowd.counts["served"], { timeout: 60_000 }).toBeGreaterThan(before + 2 * clients);
  crowd.finish();
  await working;
  console.log(JSON.stringify(crowd.counts));
  expect(crowd.violations).toEqual([]);
  // Back within seconds: nobody had to be told that anything is unknown.
  expect(Object.keys(crowd.counts)).toEqual(["served"]);

  const observer = await createLockManager({ cleanupInterval: "300ms" }, server.storeUrl);
  onTestFinished(() => observer.close());
  for (const lock of held) {
    expect(lock.signal.reason).toBeUndefined();
    expect((await observer.getLock(lock.resourcePath))?.lockId).toBe(lock.lockId);
  }
  expect(await Promise.all(held.map((lock) => lock.release()))).toEqual(held.map(() => true));
  const store = await openStore(server.storeUrl);
  onTestFinished(() => store.close());
  // What was granted just when the server died lasts for its ttl, and the places of those who waited there until somebody looks.
  await expect.poll(() => leftovers(store), { timeout: 20_000, interval: 200 }).toEqual([]);
});
