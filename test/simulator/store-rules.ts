/** What must be true of every commit, seen from the store. */

import type { Limits } from "../../src/core/grant.js";
import { agentKey } from "../../src/core/keys.js";
import { type Deed, type TrueLock, type TrueWaiter } from "./deed.js";
import type { Ledger } from "./ledger.js";
import { conflictingEarlier, waitsForAny } from "./queue-rules.js";
import { collide } from "./region.js";
import type { Truth } from "./truth.js";

/** Takes down a violation: the number of the invariant, and what was seen. */
export type Report = (invariant: string, sentence: string) => void;

/** How much of a lock may be left, or have been over, as a manager knows the time through slow replies. */
export const longestDoubtMs = 4_500;

export class StoreRules {
  private readonly truth: Truth;
  private readonly ledger: Ledger;
  private readonly limits: Limits;
  private readonly report: Report;

  constructor(truth: Truth, ledger: Ledger, limits: Limits, report: Report) {
    this.truth = truth;
    this.ledger = ledger;
    this.limits = limits;
    this.report = report;
  }

  check(deed: Deed): void {
    for (const error of deed.errors) this.report("books", error);
    for (const lock of deed.granted) this.checkGrant(lock, deed);
    for (const { lock, from } of deed.extended) {
      if (from < deed.storeTime)
        this.report("I11", `${name(lock)} was extended ${deed.storeTime - from} ms after it expired`);
    }
    for (const lock of deed.ended) this.checkEnd(lock, deed);
    for (const waiter of deed.queued) this.checkQueued(waiter);
    for (const path of deed.paths) this.checkQueue(path);
    for (const agent of deed.agents) this.checkAgent(agent);
  }

  private checkGrant(lock: TrueLock, deed: Deed): void {
    const { truth } = this;
    for (const other of truth.inForce()) {
      if (other !== lock && collide(lock, other) && lock.expiresAt > deed.storeTime)
        this.report("I1", `${name(lock)} is held beside ${name(other)}`);
    }
    if (lock.token !== deed.revision)
      this.report("I2", `${name(lock)} was granted at ${deed.revision} with the token ${lock.token}`);
    this.checkRepetition(lock, deed);
    if (!this.ledger.wasAskedFor(lock.lockId, lock))
      this.report("I5", `${name(lock)} was granted, and nobody asked for it`);
    const place = deed.left.find((waiter) => waiter.lockId === lock.lockId);
    this.checkTurn(lock, place, deed);
    this.checkWhole(lock, place, deed);
    const held = [...(truth.locksOf.get(lock.agentId) ?? [])].filter((one) => one.expiresAt > deed.storeTime);
    if (held.length > this.limits.maxLocksPerAgent)
      this.report("I7", `${lock.agentId} holds ${held.length} of ${this.limits.maxLocksPerAgent} locks`);
  }

  /** A request whose reply was lost may be granted once more under its id, but only when the first grant has ended, and nobody was told of it. */
  private checkRepetition(lock: TrueLock, { revision }: Deed): void {
    const earlier = this.truth.history.get(lock.lockId)!.at(-2);
    if (earlier?.endedAt === revision && earlier.endedInForce)
      this.report("I3", `${name(lock)} has got a new token`);
    // Another call of its agent may have joined the first grant; the one that asked was not told. And once it was told of other locks, because
    // nothing of an attempt was left, nothing of that attempt can come through any more.
    if (this.ledger.callOf.get(lock.lockId)?.state === "granted")
      this.report("I18", `${name(lock)} was granted after its call had been told of a grant`);
  }

  /**
   * Conflicting earlier waiters come first, but for those that wait for a lock which the agent had before this commit, and of which its
   * manager does not know for sure that it has expired. Those queued by this very commit may have come later.
   */
  private checkTurn(
    lock: TrueLock,
    place: TrueWaiter | undefined,
    { revision, ended, storeTime }: Deed,
  ): void {
    const own = [...(this.truth.locksOf.get(lock.agentId) ?? []), ...ended].filter(
      (one) => one.agentId === lock.agentId && one.token < revision,
    );
    for (const other of conflictingEarlier(this.truth, lock, place?.requestId ?? lock.lockId, place)) {
      if (other.since < revision && !waitsForAny(this.truth, other, own, storeTime - longestDoubtMs))
        this.report("I6", `${name(lock)} was granted before ${other.agentId}, who waits for ${other.path}`);
    }
  }

  private checkWhole(lock: TrueLock, place: TrueWaiter | undefined, deed: Deed): void {
    const paths =
      place === undefined
        ? (this.ledger.callOf.get(lock.lockId)?.paths ?? [])
        : deed.left.filter((one) => one.requestId === place.requestId).map((one) => one.path);
    for (const path of paths) {
      const isMine = (one: TrueLock): boolean => one.agentId === lock.agentId && one.path === path;
      // The same change can grant it and end, after that, what the agent had before.
      if (!this.truth.locks.get(path)?.some(isMine) && !deed.ended.some(isMine))
        this.report("I8", `${name(lock)} was granted without ${path}, which was asked for as well`);
    }
    if (place !== undefined && paths.length < place.paths)
      this.report(
        "I8",
        `${name(lock)} was granted when only ${paths.length} of ${place.paths} places were left`,
      );
  }

  /** In force, a lock ends only because somebody wants that. */
  private checkEnd(lock: TrueLock, { process }: Deed): void {
    if (!lock.endedInForce || this.ledger.leaving.has(lock.lockId)) return;
    if (this.ledger.mayBeRevoked(lock.path, lock.token)) return;
    const handles = this.ledger.handlesOf.get(lock.lockId);
    // Nobody was told of it: it is given back because the call was refused. Whoever is told of it later is looked at then.
    if (handles === undefined) return;
    // Told that it may have been lost, the agent has stopped; what comes through after that is given back, by the process that told it.
    const there = handles.filter((one) => one.process.name === process);
    const told = there.filter((one) => one.signal.aborted || one.process.isDead);
    if (told.length > 0 && there.every((one) => one.isLeaving || told.includes(one))) return;
    this.report("I4", `${name(lock)} was ended, and nobody had asked for that`);
  }

  private checkQueued(waiter: TrueWaiter): void {
    const { maxWaitersPerAgent, maxWaitersPerResource } = this.limits;
    const here = this.truth.waiters.get(waiter.path)?.size ?? 0;
    const mine = this.truth.waitersOf.get(waiter.agentId)?.size ?? 0;
    if (here > maxWaitersPerResource) this.report("bounds", `${here} wait for ${waiter.path}`);
    if (mine > maxWaitersPerAgent) this.report("bounds", `${waiter.agentId} waits ${mine} times`);
    if (!this.ledger.wasAskedFor(waiter.lockId, waiter))
      this.report("I5", `${waiter.agentId} waits for ${waiter.path}, and nobody asked for that`);
  }

  // The books: counters and cross references.

  private checkQueue(path: string): void {
    const queue = this.truth.queues.get(path);
    const here = [...(this.truth.waiters.get(path)?.values() ?? [])];
    const trees = here.filter((waiter) => waiter.scope === "tree").length;
    const says = queue === undefined ? "no queue" : `${queue.waiting} waiters, ${queue.trees} trees`;
    const should = here.length === 0 ? "no queue" : `${here.length} waiters, ${trees} trees`;
    if (says !== should) this.report("books", `lock${path} says ${says}, but there are ${should}`);
    for (const { n } of here) {
      if (queue !== undefined && (n < queue.head || n >= queue.next))
        this.report("books", `lock${path} does not reach its waiter ${n}`);
    }
    for (const lock of this.truth.locks.get(path) ?? []) this.checkAgent(agentPart(lock.agentId));
    for (const waiter of here) {
      const says = this.truth.agentWait(agentPart(waiter.agentId), waiter.lockId);
      if (says?.path !== path || says.n !== waiter.n || says.requestId !== waiter.requestId)
        this.report("books", `${waiter.agentId} does not know where it waits for ${path}`);
    }
  }

  private checkAgent(agent: string): void {
    const agentId = decodeURIComponent(agent);
    const locks = this.truth.locksOf.get(agentId);
    const waits = this.truth.waitersOf.get(agentId);
    const record = this.truth.agentRecord(agent);
    const says = `${record?.locks ?? 0} locks, ${record?.waits ?? 0} waits`;
    const should = `${locks?.size ?? 0} locks, ${waits?.size ?? 0} waits`;
    if (says !== should) this.report("books", `agent ${agent} says ${says}, but should say ${should}`);
    if (record !== undefined && record.locks + record.waits === 0)
      this.report("books", `agent ${agent} has nothing in it`);
    for (const { path } of locks ?? []) {
      if (!this.truth.entries.has(`agent/${agent}/lock${path}`))
        this.report("books", `agent ${agent} does not know of its lock on ${path}`);
    }
  }
}

function agentPart(agentId: string): string {
  return agentKey(agentId).slice("agent/".length);
}

function name({ lockId, agentId, path }: TrueLock): string {
  return `${lockId} (${agentId} on ${path})`;
}
