/** Several managers on one store, each behind faults of its own, and what their callers believe. */

import { isAlive } from "../../src/core/blockers.js";
import { agentKey, agentWaits } from "../../src/core/keys.js";
import { promote } from "../../src/core/promote.js";
import type { AgentWaitRecord } from "../../src/core/records.js";
import { storedPath } from "../../src/core/resource-path.js";
import { createLockManager } from "../../src/create-lock-manager.js";
import type { AcquiredLock, AcquireOptions, LockManager } from "../../src/lock-manager.js";
import { openMemoryStore } from "../../src/store/memory/memory-store.js";
import { MapView } from "../core/map-view.js";
import { type Chances, FaultyStore } from "../support/faulty-store.js";
import { ManualClock } from "../support/manual-clock.js";
import { storedWaiters } from "./book-keeping.js";
import { must, mustEqual } from "./must.js";
import { WatchedStore } from "./watched-store.js";

interface Process {
  /** All ids that it makes begin with it. */
  readonly name: string;
  readonly store: FaultyStore;
  readonly manager: LockManager;
  isDead: boolean;
}

interface Held {
  readonly process: Process;
  readonly lock: AcquiredLock;
  /** `unsure`: its release failed, and may have been carried out. */
  state: "held" | "unsure" | "given back";
}

interface Wait {
  readonly process: Process;
  readonly abort: AbortController;
  readonly giveUpAt: number;
  readonly what: string;
}

/** How long after everything is well again the last trace of a rejected acquire may stay. */
const cleanUpMs = 60_000;
/** How long an acquire that does not wait may take when every attempt ends without an answer. */
const longestTryMs = 60_000;
/** How long after it failed an order may still be carried out. */
const lateOrderMs = 10_000;
/** How much later than its timeout a call may be answered while stores are slow. */
const slackMs = 100;

export class Fleet {
  readonly clock = new ManualClock();
  readonly watched = new WatchedStore(openMemoryStore({ clock: this.clock }));
  processes: Process[] = [];
  private readonly random: () => number;
  private readonly chances: Chances;
  private readonly held: Held[] = [];
  private readonly waits = new Set<Wait>();
  /** Lock ids that an operator ended: their holders may hear of it a little later. */
  private readonly revoked = new Set<string>();
  /** Paths on which an operator's order is under way, or may arrive late: whoever is granted one meanwhile may be hit as well. */
  private readonly revoking = new Set<{ readonly process: Process; readonly path: string; until: number }>();
  /** Locks of an agent that acts through several processes: what it does in one, it hears in the other only by hint. */
  private readonly everywhere = new Set<string>();
  private started = 0;
  private ids = 0;
  /** How often each answer was given. */
  readonly answers = new Map<string, number>();

  constructor(random: () => number, chances: Chances) {
    this.random = random;
    this.chances = chances;
  }

  async start(config: Parameters<typeof createLockManager>[0] = {}): Promise<void> {
    const name = `m${++this.started}.`;
    const store = new FaultyStore(this.watched, { clock: this.clock, random: this.random });
    const manager = await createLockManager(config, store, {
      clock: this.clock,
      newId: () => `${name}${++this.ids}`,
      random: this.random,
    });
    store.chance(this.chances);
    this.processes.push({ name, store, manager, isDead: false });
  }

  acquire(process: Process, agentId: string, paths: readonly string[], options: AcquireOptions): void {
    const abort = new AbortController();
    // Who does not wait in the queue still waits for the store.
    const timeout = Number(options.timeout ?? 5_000) || longestTryMs;
    const what = `${agentId} ${paths.join(" ")} ${JSON.stringify(options)}`;
    const wait = { process, abort, giveUpAt: this.clock.monotonic() + timeout, what };
    this.waits.add(wait);
    process.manager.acquireMultipleLocks(paths, agentId, { ...options, signal: abort.signal }).then(
      (locks) => {
        this.waits.delete(wait);
        this.count("granted");
        for (const lock of locks) this.keep(process, lock);
      },
      (error: { code?: string }) => {
        this.waits.delete(wait);
        this.count(error.code ?? String(error));
      },
    );
  }

  private keep(process: Process, lock: AcquiredLock): void {
    if (process.isDead) return;
    const isElsewhere =
      !lock.lockId.startsWith(process.name) ||
      this.held.some((one) => one.lock.lockId === lock.lockId && one.process !== process);
    if (isElsewhere) this.everywhere.add(lock.lockId);
    // Looking at its signal makes the manager watch over the lock.
    lock.signal.addEventListener("abort", () => this.count("told"));
    this.held.push({ process, lock, state: "held" });
  }

  cancel(which: number): void {
    const wait = [...this.waits][which % Math.max(this.waits.size, 1)];
    wait?.abort.abort();
  }

  release(which: number): void {
    const one = this.mine()[which % Math.max(this.mine().length, 1)];
    if (one === undefined) return;
    const { resourcePath, agentId, lockId } = one.lock;
    // All handles at once; one that is got meanwhile may outlive it.
    const handles = this.held.filter((other) => other.lock.lockId === lockId);
    const become = (state: Held["state"]): void => {
      for (const other of handles) other.state = state;
    };
    become("unsure");
    const released = one.process.manager.releaseLock(resourcePath, agentId, lockId);
    this.settle(
      released.then(() => become("given back")),
      "release",
    );
  }

  extend(which: number, ttl: number): void {
    const one = this.mine()[which % Math.max(this.mine().length, 1)];
    if (one !== undefined) this.settle(one.lock.extend(ttl), "extend");
  }

  revoke(process: Process, path: string): void {
    for (const lock of this.watched.locks) if (lock.path === path) this.revoked.add(lock.lockId);
    const order = { process, path, until: Infinity };
    this.revoking.add(order);
    this.settle(
      process.manager.forceRelease(path, { reason: "stuck" }).then(
        (locks) => {
          this.revoking.delete(order);
          for (const lock of locks) this.revoked.add(lock.lockId);
        },
        (error: unknown) => {
          order.until = this.clock.monotonic() + lateOrderMs;
          throw error;
        },
      ),
      "revoke",
    );
  }

  async kill(which: number): Promise<void> {
    const process = this.processes[which % this.processes.length]!;
    process.isDead = true;
    process.store.vanish();
    this.processes = this.processes.filter((one) => one !== process);
    for (const wait of this.waits) if (wait.process === process) this.waits.delete(wait);
    for (const order of this.revoking) {
      if (order.process === process) order.until = this.clock.monotonic() + lateOrderMs;
    }
    await this.start();
    this.count("killed");
  }

  /** What callers believe must be so. Called whenever time has passed. */
  check(): void {
    if (this.watched.broken !== undefined) throw this.watched.broken;
    const now = this.clock.now();
    const believed = this.mine().filter((one) => !one.lock.signal.aborted);
    for (const { lock } of believed) {
      if (this.isRevoked(lock) || this.everywhere.has(lock.lockId)) continue;
      const stored = this.watched.locks.find((one) => one.lockId === lock.lockId);
      must(stored !== undefined, `${lock.lockId} is gone, and ${lock.agentId} was not told (invariant I4)`);
      must(
        stored.expiresAt > now,
        `${lock.lockId} has expired, and ${lock.agentId} was not told (invariant I16)`,
      );
      mustEqual(lock.fencingToken, stored.token, `token that ${lock.agentId} has of ${lock.lockId} (I3)`);
    }
    for (const { what, giveUpAt } of this.waits) {
      must(this.clock.monotonic() <= giveUpAt + slackMs, `no answer in time: ${what}`);
    }
  }

  private isRevoked({ lockId, resourcePath }: AcquiredLock): boolean {
    for (const { path, until } of this.revoking) {
      if (path === resourcePath && this.clock.monotonic() < until) this.revoked.add(lockId);
    }
    return this.revoked.has(lockId);
  }

  /** Once all is well: whoever waits has reason to, and nobody holds what nobody knows of. */
  async calmDown(): Promise<void> {
    for (const { store } of this.processes) {
      store.up();
      store.chance({});
    }
    await this.clock.advance(cleanUpMs);
    this.check();
    this.checkGhosts();
    this.checkTurns();
  }

  private checkGhosts(): void {
    const known = new Set(
      this.held.filter((one) => one.state !== "given back").map((one) => one.lock.lockId),
    );
    for (const { lockId, agentId, path, expiresAt } of this.watched.locks) {
      if (expiresAt <= this.clock.now()) continue;
      must(
        known.has(lockId) || !this.processes.some(({ name }) => lockId.startsWith(name)),
        `nobody knows of ${lockId}, ${agentId} on ${path} (invariant I5)`,
      );
    }
  }

  private checkTurns(): void {
    const now = this.clock.now();
    for (const waiter of storedWaiters(this.watched.entries)) {
      const view = new MapView(this.watched.entries, { earliest: now, latest: now, managerId: "" });
      // What is left of a dead process stands in nobody's way until it is swept.
      if (!isAlive(view, waiter)) continue;
      const places = view
        .range(agentWaits(agentKey(waiter.agentId)))
        .map((found) => ({
          lockId: found.key.slice(agentWaits(agentKey(waiter.agentId)).length),
          ...(found.value as unknown as AgentWaitRecord),
        }))
        .filter((place) => place.requestId === waiter.requestId);
      const request = {
        ...waiter,
        claims: places.map(({ path, lockId }) => ({
          resource: storedPath(path),
          lockId,
          ttlMs: waiter.ttlMs,
        })),
      };
      const limits = { maxLocksPerAgent: 1000, maxWaitersPerAgent: 1000, maxWaitersPerResource: 1000 };
      const reply = promote(
        view,
        request,
        places.map((place) => place.n),
        limits,
      );
      must(
        reply.kind === "waiting",
        `${waiter.agentId} waits for ${waiter.path} though it is ${reply.kind} (I9)`,
      );
    }
  }

  /** Everything is given back; nothing may be left but the entries of managers. */
  async finish(): Promise<void> {
    for (const wait of this.waits) wait.abort.abort();
    for (const process of this.processes) this.settle(process.manager.close({ release: true }), "close");
    await this.clock.advance(10_000);
    await this.start({ cleanupInterval: 1000 });
    await this.clock.advance(3_600_000 * 2);
    if (this.watched.broken !== undefined) throw this.watched.broken;
    const left = this.watched.entries.keys().filter((key) => !key.startsWith("manager/"));
    mustEqual(left, [], "what is left at the end");
    this.settle(this.processes.at(-1)!.manager.close(), "close");
    await this.clock.advance(10_000);
  }

  private mine(): Held[] {
    return this.held.filter((one) => one.state === "held" && !one.process.isDead);
  }

  private settle(work: Promise<unknown>, what: string): void {
    work.then(
      () => this.count(what),
      (error: { code?: string }) => this.count(`${what}: ${error.code ?? String(error)}`),
    );
  }

  private count(what: string): void {
    this.answers.set(what, (this.answers.get(what) ?? 0) + 1);
  }
}
