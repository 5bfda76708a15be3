/** Agents that take, extend and give back locks while everything fails, each step compared with the true state of the store. */
import { expect } from "vitest";
import { LockError } from "../../src/errors.js";
import type { AcquiredLock, LockManager } from "../../src/lock-manager.js";
import type { Store } from "../../src/store/store.js";
import { Entries } from "../core/map-view.js";
import { entriesOf, leftovers } from "../manager/stage.js";
import { bookKeepingErrors } from "../model/book-keeping.js";

const agentsEach = 4;
const paths = ["/a", "/b", "/c", "/d/e", "/d/f"];
const ttl = "2s";
/** A change may be applied five seconds after it was sent; then its lock has to expire, and to be swept. */
const overWithinMs = 15_000;

export class Restless {
  readonly counts = { taken: 0, released: 0, extended: 0, refused: 0, unknown: 0 };
  readonly #random: () => number;
  /** Knows the true state: no fault is between it and the store. */
  readonly #observer: LockManager;
  readonly #store: Store;
  readonly #work: Promise<void>[] = [];
  readonly #beforeEnd: (() => void)[] = [];
  /** Who counts on the lock of a path. */
  readonly #holders = new Map<string, AcquiredLock>();
  readonly #tokens = new Map<string, number>();
  readonly #violations: string[] = [];
  #agents = 0;
  #isOver = false;

  constructor(random: () => number, observer: LockManager, store: Store) {
    this.#random = random;
    this.#observer = observer;
    this.#store = store;
  }

  /** Lets agents work with this manager until the end. */
  employ(locks: LockManager): void {
    for (let n = 0; n < agentsEach; n++) this.#work.push(this.#keepWorking(locks));
  }

  whenFinishing(run: () => void): void {
    this.#beforeEnd.push(run);
  }

  /** Expects that all went well, and that nothing is left once everything is given back and has expired. */
  async finish(): Promise<void> {
    this.#isOver = true;
    for (const run of this.#beforeEnd) run();
    await Promise.all(this.#work);
    expect([...new Set(this.#violations)]).toEqual([]);
    await expect.poll(() => leftovers(this.#store), { interval: 100, timeout: overWithinMs }).toEqual([]);
  }

  async #keepWorking(locks: LockManager): Promise<void> {
    while (!this.#isOver) {
      const path = this.#pick(paths);
      // A new agent each time: an old one would be given the lock of a release that nobody answered.
      const lock = await this.#try(
        locks.acquireLock(path, `agent-${++this.#agents}`, { ttl, timeout: "1s" }),
      );
      if (lock === undefined) continue;
      this.counts.taken++;
      this.#taken(path, lock);
      await this.#compare(path, lock);
      if (this.#random() < 0.3 && (await this.#try(lock.extend(ttl))) !== undefined) this.counts.extended++;
      await this.#compare(path, lock);
      if (this.#holders.get(path) === lock) this.#holders.delete(path);
      if ((await this.#try(lock.release())) === true) {
        this.counts.released++;
        if (await this.#isShown(path, lock)) this.#violations.push(`${path} is held after its release`);
      }
    }
  }

  #taken(path: string, lock: AcquiredLock): void {
    // The word of its grant came when it was over: nobody counts on it.
    if (lock.signal.aborted) return;
    const other = this.#holders.get(path);
    if (other !== undefined && !other.signal.aborted)
      this.#violations.push(`${path} is given to ${lock.agentId} while ${other.agentId} counts on it`);
    if (lock.fencingToken <= (this.#tokens.get(path) ?? 0))
      this.#violations.push(`${path} has token ${lock.fencingToken} after ${this.#tokens.get(path)}`);
    this.#tokens.set(path, lock.fencingToken);
    this.#holders.set(path, lock);
  }

  /** What was acknowledged is there, alone, as long as its holder may count on it; and the books are in order. */
  async #compare(path: string, lock: AcquiredLock): Promise<void> {
    const isShown = await this.#isShown(path, lock);
    const now = this.#observer.currentTime().toISOString();
    if (!isShown && !lock.signal.aborted)
      this.#violations.push(`${path} of ${lock.agentId} is lost at ${now}: ${JSON.stringify(lock)}`);
    const entries = new Entries();
    for (const entry of await entriesOf(this.#store)) entries.set(entry);
    this.#violations.push(...bookKeepingErrors(entries));
  }

  async #isShown(path: string, { lockId }: AcquiredLock): Promise<boolean> {
    const { holders } = await this.#observer.getResource(path);
    if (holders.length > 1) this.#violations.push(`${path} is held ${holders.length} times`);
    return holders.some((holder) => holder.lockId === lockId);
  }

  async #try<T>(call: Promise<T>): Promise<T | undefined> {
    try {
      return await call;
    } catch (error) {
      if (!(error instanceof LockError)) throw error;
      this.counts[error.code === "outcome_unknown" ? "unknown" : "refused"]++;
      return undefined;
    }
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)]!;
  }
}
