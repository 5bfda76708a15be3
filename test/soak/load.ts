/** Mixed load on one manager: paths and agents that never come again, locks that nobody gives back, waiters that nobody waits for. */
import { setTimeout as sleep } from "node:timers/promises";
import { LockError } from "../../src/errors.js";
import type { AcquireOptions, LockManager } from "../../src/lock-manager.js";

/** What may happen to calls here: they wait too long, are aborted, or come after the end. */
const expected = new Set(["held", "aborted", "lost", "deadlock", "closed"]);

export class MixedLoad {
  calls = 0;
  readonly faults: string[] = [];
  readonly #locks: LockManager;
  readonly #random: () => number;
  /** One signal that lives as long as the load, handed to very many calls. */
  readonly #stop = new AbortController();
  readonly #pending = new Set<Promise<unknown>>();
  #names = 0;

  constructor(locks: LockManager, random: () => number) {
    this.#locks = locks;
    this.#random = random;
  }

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  start(workers: number): void {
    for (let worker = 0; worker < workers; worker++) this.#track(this.#work());
  }

  /** Resolves when none of its calls is on its way. */
  async stop(): Promise<void> {
    this.#stop.abort();
    while (this.#pending.size > 0) await Promise.all(this.#pending);
  }

  async #work(): Promise<void> {
    while (!this.signal.aborted) {
      const act = acts[Math.floor(this.#random() * acts.length)];
      this.calls++;
      await this.#expectable(act?.(this) ?? Promise.resolve());
      // Most of the time agents do something else.
      await sleep(this.#random() * 4);
    }
  }

  /** Not awaited by whoever started it, as when a caller is gone. */
  #track(call: Promise<unknown>): void {
    const tracked = this.#expectable(call).finally(() => this.#pending.delete(tracked));
    this.#pending.add(tracked);
  }

  async #expectable(call: Promise<unknown>): Promise<void> {
    try {
      await call;
    } catch (error) {
      if (!(error instanceof LockError) || !expected.has(error.code)) this.faults.push(String(error));
    }
  }

  path(): string {
    return `/once/${this.#names++ % 100}/${this.#names}`;
  }

  agent(): string {
    return `agent-${this.#names++}`;
  }

  acquire(path: string, options: AcquireOptions = {}) {
    return this.#locks.acquireLock(path, this.agent(), { signal: this.signal, ...options });
  }

  async giveBack(): Promise<void> {
    const lock = await this.acquire(this.path());
    await lock.extend("2m");
    await lock.release();
  }

  async severalPaths(): Promise<void> {
    const paths = [this.path(), this.path(), this.path()];
    const held = await this.#locks.acquireMultipleLocks(paths, this.agent(), { signal: this.signal });
    for (const lock of held) await lock.release();
  }

  async letExpire(): Promise<void> {
    await this.acquire(this.path(), { ttl: 20 + this.#random() * 200 });
  }

  async extendsItself(): Promise<void> {
    const lock = await this.acquire(this.path(), { ttl: 60, autoExtend: true });
    await sleep(100);
    await lock.release();
  }

  async within(): Promise<void> {
    await this.#locks.withLock(this.path(), this.agent(), { ttl: "1m", signal: this.signal }, () => sleep(1));
  }

  async contend(): Promise<void> {
    const lock = await this.acquire(`/hot/${Math.floor(this.#random() * 4)}`, { timeout: 50 });
    await sleep(2);
    await lock.release();
  }

  async abort(): Promise<void> {
    const controller = new AbortController();
    const call = this.acquire("/hot/0", { timeout: "1m", signal: controller.signal });
    setTimeout(() => controller.abort(), this.#random() * 20);
    const lock = await call;
    await lock.release();
  }

  async abandon(): Promise<void> {
    const path = this.path();
    const lock = await this.acquire(path, { ttl: 300 });
    for (let n = 0; n < 5; n++) this.#track(this.acquire(path, { timeout: 100, ttl: 50 }));
    await sleep(5);
    await this.#locks.forceRelease(path, { reason: "the soak test says so" });
    await lock.release();
  }

  async look(): Promise<void> {
    await this.#locks.getResource("/hot/0");
    await this.#locks.getAgentLocks(this.agent());
    const events = this.#locks.events({ prefix: "/hot" });
    await events.return?.();
  }

  async readTogether(): Promise<void> {
    const path = this.path();
    const held = await Promise.all(
      [1, 2, 3].map(() => this.acquire(path, { mode: "shared", scope: "tree" })),
    );
    await Promise.all(held.map((lock) => lock.release()));
  }
}

const acts: readonly ((load: MixedLoad) => Promise<void>)[] = [
  (load) => load.giveBack(),
  (load) => load.giveBack(),
  (load) => load.giveBack(),
  (load) => load.severalPaths(),
  (load) => load.letExpire(),
  (load) => load.extendsItself(),
  (load) => load.within(),
  (load) => load.contend(),
  (load) => load.contend(),
  (load) => load.abort(),
  (load) => load.abandon(),
  (load) => load.look(),
  (load) => load.readTogether(),
];
