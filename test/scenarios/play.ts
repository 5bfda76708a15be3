/** The stage of a scenario: one memory store, any number of managers on it behind stores that can fail, and a clock that stands still. */

import type { Clock } from "../../src/clock/clock.js";
import { visitBlockers } from "../../src/core/blockers.js";
import type { Claim } from "../../src/core/claim.js";
import { agentKey, allWaiters, placeOfWaitKey } from "../../src/core/keys.js";
import type { WaitRecord } from "../../src/core/records.js";
import { parseResourcePath, storedPath } from "../../src/core/resource-path.js";
import { type CreateLockManagerConfig, createLockManager } from "../../src/create-lock-manager.js";
import type { AcquiredLock, LockEvent, LockManager } from "../../src/lock-manager.js";
import { openMemoryStore } from "../../src/store/memory/memory-store.js";
import type { Store } from "../../src/store/store.js";
import { Entries, MapView } from "../core/map-view.js";
import { FaultyStore } from "../support/faulty-store.js";
import { ManualClock } from "../support/manual-clock.js";
import { Words } from "./words.js";

/** A manager process. */
export interface Process {
  readonly name: string;
  /** A dead process says nothing any more. */
  isDead: boolean;
  readonly store: FaultyStore;
  /** As its agents see it. */
  readonly manager: LockManager;
}

/** Something that was begun and has not ended. */
export interface Pending {
  /** What to say as long as there is no answer. */
  readonly meanwhile: () => Promise<string>;
}

type Reach = (manager: LockManager, clock: Clock) => LockManager;

export class Play {
  readonly clock = new ManualClock();
  readonly words: Words;
  readonly config: Record<string, unknown> = {};
  readonly processes = new Map<string, Process>();
  private readonly managers: LockManager[] = [];
  readonly events: LockEvent[] = [];
  /** What happened since the block began. */
  private said: string[] = [];
  private readonly memory: Store;
  private readonly reach: Reach;
  private readonly pending = new Set<Pending>();
  private readonly handles = new Map<string, AcquiredLock[]>();
  private readonly lockIds = new Map<string, string>();
  /** Locks that their holders give back: it is no news to them. */
  private readonly givenBack = new Set<string>();
  private ids = 0;

  /** @param reach how agents get at the manager of a process. */
  constructor(reach: Reach = (manager) => manager) {
    this.reach = reach;
    this.memory = openMemoryStore({ clock: this.clock });
    const anchor = this.clock.now() - this.clock.monotonic();
    this.words = new Words(() => anchor + this.clock.monotonic());
  }

  say(line: string): void {
    this.said.push(line);
  }

  /** Lets everything settle, and says what there is to say of what has no answer yet. */
  async hear(begun: readonly (Pending | void)[]): Promise<string[]> {
    await this.clock.settle();
    for (const one of begun) {
      if (one instanceof Object && this.pending.has(one)) this.say(await one.meanwhile());
    }
    const said = this.said.filter((line) => line !== "");
    this.said = [];
    return said.length === 0 ? ["nothing happens"] : said;
  }

  async process(name: string): Promise<Process> {
    const known = this.processes.get(name);
    if (known !== undefined) return known;
    const store = new FaultyStore(this.memory, { clock: this.clock });
    const manager = await createLockManager({ ...this.config } as CreateLockManagerConfig, store, {
      clock: this.clock,
      newId: () => `id-${++this.ids}`,
      random: () => 0.5,
    });
    this.managers.push(manager);
    const process: Process = { name, isDead: false, store, manager: this.reach(manager, this.clock) };
    this.processes.set(name, process);
    const listening = this.listen(process, manager);
    listening.catch((error: unknown) => this.say(`the events of ${name} broke: ${String(error)}`));
    return process;
  }

  private async listen(process: Process, manager: LockManager): Promise<void> {
    for await (const event of manager.events()) {
      if (process.isDead) continue;
      this.events.push(event);
      if (event.type === "expired") this.say(`${event.agentId}'s lock on ${event.resourcePath} has expired`);
    }
  }

  /** Begins something whose end is told in the block in which it comes. */
  begin(process: Process, work: Promise<string[]>, meanwhile: () => Promise<string>): Pending {
    const pending = { meanwhile };
    this.pending.add(pending);
    work.then(
      (lines) => {
        this.pending.delete(pending);
        if (!process.isDead) for (const line of lines) this.say(line);
      },
      (error: unknown) => {
        this.pending.delete(pending);
        this.say(this.words.error(error));
      },
    );
    return pending;
  }

  // Handles

  /** Remembers a lock, and says when its holder is told that it has it no longer. */
  keep(process: Process, lock: AcquiredLock): void {
    const name = handleName(process.name, lock.agentId, lock.resourcePath);
    const { signal } = lock;
    const mine = this.handles.get(name) ?? [];
    // Several handles on one lock share one signal.
    if (!mine.some((one) => one.lockId === lock.lockId)) {
      signal.addEventListener("abort", () => {
        if (process.isDead || this.givenBack.has(lock.lockId)) return;
        this.say(`${lock.agentId} is told, ${this.words.error(signal.reason)}`);
      });
    }
    this.handles.set(name, [...mine, lock]);
    this.lockIds.set(handleName("", lock.agentId, lock.resourcePath), lock.lockId);
  }

  /** The latest handle, which is the first to be given back. */
  handle(process: Process, agentId: string, path: string): AcquiredLock {
    const name = handleName(process.name, agentId, normal(path));
    const handle = this.handles.get(name)?.at(-1);
    if (handle === undefined)
      throw new Error(`Manager ${process.name} has no handle of ${agentId} on ${path}.`);
    return handle;
  }

  drop(process: Process, handle: AcquiredLock): void {
    this.giveBack(handle.lockId);
    const name = handleName(process.name, handle.agentId, handle.resourcePath);
    const mine = this.handles.get(name) ?? [];
    if (mine.length > 1) this.handles.set(name, mine.slice(0, -1));
  }

  giveBack(lockId: string): void {
    this.givenBack.add(lockId);
  }

  /** The lock id that the agent was last given for the path, through whichever manager. */
  lockId(agentId: string, path: string): string {
    const id = this.lockIds.get(handleName("", agentId, normal(path)));
    if (id === undefined) throw new Error(`${agentId} never had ${path}.`);
    return id;
  }

  // What the store holds

  async entries(): Promise<Entries> {
    const { ranges } = await this.memory.read({ ranges: [{ prefix: "" }] });
    const entries = new Entries();
    for (const entry of ranges[0] ?? []) entries.set(entry);
    return entries;
  }

  /** Behind whom an agent waits, first the holders. */
  async behind(agentId: string, paths: readonly string[]): Promise<string> {
    const entries = await this.entries();
    const now = this.words.now();
    const view = new MapView(entries, { earliest: now, latest: now, managerId: "" });
    const wanted = new Set(paths.map(normal));
    const agents = new Set<string>();
    let isQueued = false;
    for (const found of view.range(allWaiters)) {
      const waiter = found.value as unknown as WaitRecord;
      const { path, n } = placeOfWaitKey(found.key);
      if (waiter.agentId !== agentId || !wanted.has(path)) continue;
      isQueued = true;
      const claim: Claim = { resource: storedPath(path), lockId: waiter.lockId, ttlMs: waiter.ttlMs };
      const ticket = { revision: found.revision, ordinal: waiter.ordinal, requestId: waiter.requestId };
      visitBlockers(view, { ...waiter, claims: [claim] }, claim, { ticket, n }, (blocker) => {
        agents.add(blocker.standing === "holder" ? blocker.holder.agentId : blocker.waiter.agentId);
        return false;
      });
    }
    if (!isQueued) return `${agentId} has no answer yet`;
    const who = [...agents].filter((one) => agentKey(one) !== agentKey(agentId));
    return `${agentId} waits behind ${who.length === 0 ? "nobody" : who.join(" and ")}`;
  }

  /** Ends the play; whatever still hangs is left hanging. */
  async end(): Promise<void> {
    for (const manager of this.managers) {
      manager.close().catch(() => undefined);
      await this.clock.settle();
    }
    await this.clock.advance(5_000);
  }
}

function handleName(manager: string, agentId: string, path: string): string {
  return JSON.stringify([manager, agentId, path]);
}

function normal(path: string): string {
  const parsed = parseResourcePath(path);
  return parsed.ok ? parsed.resource.path : path;
}
