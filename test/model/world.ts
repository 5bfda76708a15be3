/**
 * The core and the naive model side by side: every command is planned by the core, applied to the entries, and compared with what brute force says.
 *
 * A plan may be made over the past, as a manager does with what it remembers; then it applies only if nothing it looked at has changed, and must
 * be right for the present. One thing a plan over the past may miss is that something below a tree was removed: then it waits, and is told.
 */
import { type AcquireReply, acquire } from "../../src/core/acquire.js";
import type { Request } from "../../src/core/claim.js";
import { type Edge, findCycle } from "../../src/core/deadlock.js";
import type { Limits } from "../../src/core/grant.js";
import type { Granted } from "../../src/core/holding.js";
import { managerKey } from "../../src/core/keys.js";
import { promote, retire, withdraw } from "../../src/core/promote.js";
import type { Promoted } from "../../src/core/queue.js";
import { expire, extend, release, revoke } from "../../src/core/release.js";
import { isAtOrBelow, storedPath } from "../../src/core/resource-path.js";
import type { View } from "../../src/core/view.js";
import { Entries, MapView } from "../core/map-view.js";
import { Answers, type Wrong } from "./answers.js";
import { bookKeepingErrors, storedLocks, storedWaiters } from "./book-keeping.js";
import { must, mustEqual } from "./must.js";
import {
  collide,
  type Glance,
  hasCycle,
  type NaiveLock,
  NaiveLocks,
  type NaiveWaiter,
} from "./naive-locks.js";

export interface Setting {
  readonly limits: Limits;
  /** How far `earliest` and `latest` lie from the true store time. */
  readonly uncertainty: number;
}

interface Past {
  readonly entries: Entries;
  readonly now: number;
}

interface Done<Reply> {
  readonly reply: Reply;
  readonly view: MapView;
  readonly revision: number;
  readonly glance: Glance;
  /** Made over the past. */
  readonly stale: boolean;
}

interface Turn {
  /** Whose turn it was already. */
  readonly before: ReadonlySet<NaiveWaiter>;
  readonly announced: readonly string[];
  readonly managerId: string;
  /** Who got a lock: he now passes the waiters that wait for it, which the slow poll of his other requests finds. */
  readonly winners: ReadonlySet<string>;
}

const managerTtlMs = 10_000;
const rememberedPasts = 4;

export class World {
  readonly entries = new Entries();
  readonly naive = new NaiveLocks();
  private readonly expected: Answers;
  readonly setting: Setting;
  /** How often each answer was given, to see that the runs reach all of them. */
  readonly answers: Map<string, number>;
  now = 1_000_000;
  /** The manager processes that run. */
  managers: string[] = [];
  /** Requests with the places they were given, by request id. */
  private readonly places = new Map<string, readonly number[]>();
  private readonly asked: Request[] = [];
  private readonly granted: Request[] = [];
  /** Of each lock the other ids under which it was acquired again, by calls that may rely on it. */
  private readonly joined = new Map<string, Set<string>>();
  /** Ids of locks that the call which they were granted to has given up. */
  private readonly abandoned = new Set<string>();
  /** Every lock there ever was. */
  private readonly history: NaiveLock[] = [];
  /** The fold of all events: the locks that began and did not end. */
  private readonly active = new Map<string, number>();
  private pasts: Past[] = [];
  /** What the latest change left to be checked once its effect is known. */
  private turn: Turn | undefined;
  private nextId = 1;

  constructor(setting: Setting, answers: Map<string, number>) {
    this.setting = setting;
    this.expected = new Answers(this.naive, setting.limits);
    this.answers = answers;
    for (let i = 0; i < 3; i++) this.startManager();
    this.remember();
  }

  // Commands

  acquire(
    managerId: string,
    asked: Omit<Request, "requestId" | "claims"> & {
      readonly paths: readonly string[];
      readonly ttlMs: number;
    },
    until: number | null | undefined,
    staleness: number,
  ): void {
    const { paths, ttlMs, ...standing } = asked;
    const id = this.nextId++;
    const request: Request = {
      ...standing,
      requestId: `r${id}`,
      claims: paths.map((path, i) => ({
        resource: storedPath(path),
        lockId: `L${id}.${i}`,
        ttlMs: ttlMs + i,
      })),
    };
    this.asked.push(request);
    const wait = until === undefined ? undefined : { until };
    const done = this.plan(managerId, staleness, (view) => acquire(view, request, this.setting.limits, wait));
    const { reply, glance } = done;
    this.count(reply.kind);
    const expected = this.expected.acquire(request, wait !== undefined, glance);
    const mayBeFree = done.stale && request.scope === "tree" && reply.kind !== "granted";
    must(reply.kind === expected || mayBeFree, `${describe(request)} was ${reply.kind}, not ${expected}`);
    if (reply.kind === "held" && !mayBeFree) this.checkHeld(reply, request, glance);
    if (reply.kind === "granted") this.accept(request, reply.granted, done);
    if (reply.kind !== "queued") return;

    const hadCycle = hasCycle(this.naive.waitsFor(this.glance(managerId)));
    this.places.set(request.requestId, reply.places);
    this.naive.queue(request, until ?? null, managerId);
    this.promote(request, 0);
    if (!hadCycle && this.naive.waiterOf(request) !== undefined) this.lookForCycle(request);
  }

  /** The same acquire once more, as after a lost reply: whoever was granted finds his lock. */
  repeat(which: number): void {
    const request = this.granted[which % Math.max(this.granted.length, 1)];
    if (request === undefined) return;
    const mine = request.claims.map(({ lockId }) => this.naive.locks.find((one) => one.lockId === lockId));
    const glance = this.glance(this.managers[0]!);
    if (mine.some((lock) => lock === undefined || !this.naive.inForce(lock, glance))) return;
    const view = this.view(this.entries, glance);
    const reply = acquire(view, request, this.setting.limits, undefined);
    must(reply.kind === "granted", `${describe(request)} does not find its own lock: ${reply.kind}`);
    must(view.written.size === 0, `${describe(request)} was granted twice`);
    mustEqual(
      reply.granted.map((one) => [one.holder.lockId, one.holder.token]),
      mine.map((lock) => [lock?.lockId, lock?.token]),
      "repeated acquire",
    );
    this.count("repeated");
  }

  /** Nobody wants what was asked for: whatever is left of it goes, lock or waiter, and nothing else. */
  retire(which: number, staleness: number): void {
    const request = this.asked[which % Math.max(this.asked.length, 1)];
    const managerId = this.managers[0]!;
    if (request === undefined) return;
    const waiter = this.naive.waiterOf(request);
    if (waiter !== undefined && !this.managers.includes(waiter.managerId)) return;
    const { maxLocksPerAgent } = this.setting.limits;
    const done = this.plan(waiter?.managerId ?? managerId, staleness, (view) =>
      retire(view, request, true, maxLocksPerAgent),
    );
    const ids = new Set(request.claims.map((claim) => claim.lockId));
    const inForce = this.naive.locks.filter((lock) => this.naive.inForce(lock, done.glance));
    const mine = inForce.filter((lock) => this.isLastToGiveUp(lock.lockId, ids));
    for (const lock of mine) this.end(lock);
    this.naive.waiters = this.naive.waiters.filter((one) => one !== waiter);
    this.acceptPromoted(done.reply, done);
    if (mine.length > 0 || waiter !== undefined) this.count("retired");
  }

  /** Whether nobody relies on a lock any more once these ids are given up. Of several who joined nobody knows whether all have gone. */
  private isLastToGiveUp(lockId: string, ids: ReadonlySet<string>): boolean {
    const joiners = this.joinersOf(lockId);
    if (ids.has(lockId)) {
      this.abandoned.add(lockId);
      return joiners.size === 0;
    }
    const [only] = joiners;
    if (only === undefined || joiners.size > 1 || !ids.has(only)) return false;
    if (this.abandoned.has(lockId)) return true;
    joiners.clear();
    return false;
  }

  private joinersOf(lockId: string): Set<string> {
    const joiners = this.joined.get(lockId) ?? new Set();
    this.joined.set(lockId, joiners);
    return joiners;
  }

  promoteOne(which: number, staleness: number): void {
    const waiter = this.pickWaiter(which);
    if (waiter !== undefined) this.promote(waiter.request, staleness);
  }

  withdrawOne(which: number, staleness: number): void {
    const waiter = this.pickWaiter(which);
    if (waiter !== undefined) this.withdraw(waiter, "aborted", staleness);
  }

  /** `serving`: the next waiter in the same change, where that is possible. */
  release(which: number, wrong: Wrong, serving: boolean, managerId: string, staleness: number): void {
    const lock = this.naive.locks[which % Math.max(this.naive.locks.length, 1)];
    if (lock === undefined) return;
    const name = this.nameOf(lock, wrong);
    const done = this.plan(managerId, staleness, (view) =>
      release(view, name, serving ? this.setting.limits.maxLocksPerAgent : undefined),
    );
    const { reply, glance } = done;
    const expected = this.expected.standing(lock, wrong, glance) ?? "released";
    const answer = expected === "lost" ? "none" : expected;
    must(reply.kind === answer, `release of ${lock.lockId} said ${reply.kind}, not ${answer}`);
    this.count(`release: ${reply.kind}`);
    if (reply.kind !== "released") return;
    this.end(lock);
    this.acceptPromoted(reply.promoted, done);
  }

  extend(which: number, wrong: Wrong, ttlMs: number, managerId: string, staleness: number): void {
    const lock = this.naive.locks[which % Math.max(this.naive.locks.length, 1)];
    if (lock === undefined) return;
    const done = this.plan(managerId, staleness, (view) => extend(view, this.nameOf(lock, wrong), ttlMs));
    const { reply, glance } = done;
    const expected = this.expected.standing(lock, wrong, glance) ?? "extended";
    must(reply.kind === expected, `extension of ${lock.lockId} said ${reply.kind}, not ${expected}`);
    this.count(`extend: ${reply.kind}`);
    if (reply.kind !== "extended") return;
    // Invariant I11: at the moment of its revision the lock was in force, and nobody else was granted it.
    must(this.now <= lock.expiresAt, `${lock.lockId} was revived`);
    this.replace(lock, { expiresAt: glance.latest + ttlMs, ttlMs });
  }

  revoke(path: string, managerId: string, staleness: number): void {
    const order = { reason: "stuck" };
    const done = this.plan(managerId, staleness, (view) =>
      revoke(view, storedPath(path), order, this.setting.limits.maxLocksPerAgent),
    );
    const ended = this.naive.locks.filter(
      (lock) => lock.path === path && this.naive.inForce(lock, done.glance),
    );
    mustEqual(
      done.reply.revoked.map(({ holder }) => [holder.lockId, holder.token]),
      ended.map((lock) => [lock.lockId, lock.token]),
      `revoked on ${path}`,
    );
    if (ended.length > 0) this.count("revoked");
    for (const lock of ended) this.end(lock);
    this.acceptPromoted(done.reply.promoted, done);
  }

  expire(path: string, cause: "timer" | "sweep", managerId: string, staleness: number): void {
    const gone = this.naive.locks.length;
    const done = this.plan(managerId, staleness, (view) =>
      expire(view, storedPath(path), cause, this.setting.limits.maxLocksPerAgent),
    );
    mustEqual(gone - this.naive.locks.length, done.reply.expired, `expired on ${path}`);
    must(
      !this.naive.locks.some((lock) => lock.path === path && !this.naive.inForce(lock, done.glance)),
      `an expired lock was left on ${path}`,
    );
    let abandoned = 0;
    if (cause === "sweep") {
      for (const waiter of this.naive.waiters) {
        const own = waiter.managerId === managerId;
        if (own || this.naive.isAlive(waiter, done.glance) || !waiter.paths.delete(path)) continue;
        abandoned++;
      }
      this.naive.waiters = this.naive.waiters.filter((waiter) => waiter.paths.size > 0);
    }
    mustEqual(done.reply.abandoned, abandoned, `abandoned on ${path}`);
    if (done.reply.expired > 0) this.count(`expired by ${cause}`);
    if (abandoned > 0) this.count("abandoned");
    this.acceptPromoted(done.reply.promoted, done);
  }

  pass(ms: number): void {
    this.checkTurn();
    this.now += ms;
    // Whoever runs has said so in time.
    for (const id of this.managers) {
      if (this.naive.managers.get(id)! - this.now < managerTtlMs * 0.7) this.sayAlive(id);
    }
  }

  /** A manager process dies, with all it waits for, and another starts. */
  kill(managerId: string): void {
    this.managers = this.managers.filter((id) => id !== managerId);
    this.startManager();
    this.count("killed");
  }

  // What must hold

  /** Compares everything. Called after every command. */
  check(): void {
    this.checkTurn();
    mustEqual(bookKeepingErrors(this.entries), [], "book-keeping");
    const byId = (a: { lockId: string }, b: { lockId: string }): number => (a.lockId < b.lockId ? -1 : 1);
    const kept = storedLocks(this.entries).map(
      ({ lockId, path, agentId, mode, scope, ttlMs, token, acquiredAt, expiresAt }) =>
        ({ lockId, path, agentId, mode, scope, ttlMs, token, acquiredAt, expiresAt }) satisfies NaiveLock,
    );
    mustEqual(kept.sort(byId), [...this.naive.locks].sort(byId), "locks (invariant I13)");
    const standing = storedWaiters(this.entries).map(({ path, requestId }) => `${path} ${requestId}`);
    const byTicket = [...this.naive.waiters].sort((a, b) => a.ticket - b.ticket);
    const paths = [...new Set(byTicket.flatMap((waiter) => [...waiter.paths]))];
    const queues = paths.flatMap((path) =>
      byTicket.filter((one) => one.paths.has(path)).map((one) => `${path} ${one.request.requestId}`),
    );
    // Path by path, in the order of the queue.
    const byPath = (a: string, b: string): number => compare(a.split(" ")[0]!, b.split(" ")[0]!);
    mustEqual(standing.sort(byPath), queues.sort(byPath), "queues (invariant I6)");
    mustEqual(
      [...this.active].sort(([a], [b]) => compare(a, b)),
      [...this.naive.locks].sort(byId).map((lock) => [lock.lockId, lock.token]),
      "the fold of all events (invariant I14)",
    );
    this.checkExclusion();
    this.checkCycles();
    this.remember();
  }

  /** Invariants I1 and I7 at the true time of the store. */
  private checkExclusion(): void {
    const live = this.naive.locks.filter((lock) => lock.expiresAt > this.now);
    for (const [i, a] of live.entries()) {
      for (const b of live.slice(i + 1)) {
        must(!collide(a, b), `${a.lockId} and ${b.lockId} are held at once (invariant I1)`);
      }
    }
    for (const { agentId } of live) {
      const count = live.filter((lock) => lock.agentId === agentId).length;
      must(count <= this.setting.limits.maxLocksPerAgent, `${agentId} holds ${count} (invariant I7)`);
    }
  }

  /** Cycles that were not closed by a newcomer are found when the waiters look again. */
  private checkCycles(): void {
    const glance = this.glance(this.managers[0]!);
    for (;;) {
      const exists = hasCycle(this.naive.waitsFor(glance));
      const finders = this.finders(glance);
      must(exists === finders.length > 0, `cycle ${exists}, but ${finders.length} see it (invariant I19)`);
      if (!exists) return;
      const victim = finders.findLast((one) => this.managers.includes(one.managerId));
      // Whoever should give way is dead, and soon known to be.
      if (victim === undefined) return;
      this.count("deadlock without a newcomer");
      this.withdraw(victim, "deadlock", 0);
    }
  }

  /** At the end: whoever waits has reason to; and when all is given back, nothing is left. */
  finish(): void {
    const glance = this.glance(this.managers[0]!);
    for (let turn = this.naive.grantable(glance)[0]; turn; turn = this.naive.grantable(glance)[0]) {
      // Its manager is dead, but not yet for the others: it can be served no more.
      if (!this.managers.includes(turn.managerId)) this.pass(managerTtlMs + 2 * this.setting.uncertainty);
      else this.promote(turn.request, 0);
      this.check();
      Object.assign(glance, this.glance(this.managers[0]!));
    }
    const waiting = this.naive.waiters;
    for (const waiter of waiting) {
      if (this.managers.includes(waiter.managerId)) this.withdraw(waiter, "closed", 0);
    }
    this.pass(1e9);
    const everywhere = [...storedLocks(this.entries), ...storedWaiters(this.entries)].map((one) => one.path);
    for (const path of new Set(everywhere)) this.expire(path, "sweep", this.managers[0]!, 0);
    this.check();
    mustEqual(
      this.entries.keys().filter((key) => !key.startsWith("manager/")),
      [],
      "what is left over at the end",
    );
  }

  // Within

  private glance(managerId: string, now = this.now): Glance {
    const { uncertainty } = this.setting;
    return { earliest: now - uncertainty, latest: now + uncertainty, managerId };
  }

  private view(entries: Entries, glance: Glance): MapView {
    return new MapView(entries, glance);
  }

  private remember(): void {
    this.pasts = [
      ...this.pasts.slice(1 - rememberedPasts),
      { entries: this.entries.snapshot(), now: this.now },
    ];
  }

  private plan<Reply>(managerId: string, staleness: number, run: (view: View) => Reply): Done<Reply> {
    this.checkTurn();
    const past = staleness > 0 ? this.pasts.at(-staleness) : undefined;
    let before = new Set(this.naive.grantable(this.glance(managerId)));
    let done = past && this.attempt(past, managerId, run);
    done ??= this.attempt({ entries: this.entries, now: this.now }, managerId, run);
    if (done === undefined) {
      // What it would prolong may have expired already: it comes too late, and is certain a moment later.
      this.count("late");
      this.pass(2 * this.setting.uncertainty + 1);
      before = new Set(this.naive.grantable(this.glance(managerId)));
      done = this.attempt({ entries: this.entries, now: this.now }, managerId, run);
    }
    must(done !== undefined, "a plan over the present did not apply");
    this.listen(done.view, done.revision, done.glance);
    const { announced, told } = done.view;
    const winners = new Set(told.filter((one) => one.type === "acquired").map((one) => one.agentId));
    // What was planned over the past may have expired by now, which its timer sees.
    this.turn = done.stale ? undefined : { before, announced, managerId, winners };
    return done;
  }

  private attempt<Reply>(past: Past, managerId: string, run: (view: View) => Reply): Done<Reply> | undefined {
    const stale = past.entries !== this.entries;
    const glance = this.glance(managerId, past.now);
    const view = this.view(past.entries, glance);
    const reply = run(view);
    const revision = this.entries.apply(view, this.now);
    if (stale) this.count(revision === undefined ? "past plan refused" : "past plan applied");
    return revision === undefined ? undefined : { reply, view, revision, glance, stale };
  }

  /** Whose turn came by a change is granted by it or announced to (invariant I9). */
  private checkTurn(): void {
    if (this.turn === undefined) return;
    const { before, announced, managerId, winners } = this.turn;
    this.turn = undefined;
    for (const waiter of this.naive.grantable(this.glance(managerId))) {
      if (before.has(waiter) || winners.has(waiter.request.agentId)) continue;
      const paths = [...waiter.paths];
      const heard = announced.some((at) => paths.some((path) => concerns(at, path)));
      must(heard, `nobody told ${describe(waiter.request)} that its turn came`);
      this.count("turn announced");
    }
  }

  /** Folds what was told, and lets the naive locks expire where the core says so. */
  private listen(view: MapView, revision: number, glance: Glance): void {
    for (const { type, lockId, token } of view.told) {
      const written = token === 0 ? revision : token;
      if (type === "queued" || type === "dequeued") continue;
      if (type === "acquired") {
        must(!this.active.has(lockId), `${lockId} was acquired twice`);
        this.active.set(lockId, written!);
        continue;
      }
      mustEqual(written, this.active.get(lockId), `token of ${lockId} when it was ${type} (invariant I3)`);
      if (type !== "extended") this.active.delete(lockId);
      if (type !== "expired") continue;
      const lock = this.naive.locks.find((one) => one.lockId === lockId);
      must(lock !== undefined && !this.naive.inForce(lock, glance), `${lockId} expired too early`);
      this.end(lock);
    }
  }

  private checkHeld(reply: AcquireReply & { kind: "held" }, request: Request, glance: Glance): void {
    const paths = request.claims.map((claim) => claim.resource.path);
    const fresh = this.expected.fresh(request, paths, glance);
    const locks = this.naive.locksInTheWay(request, fresh, glance).map((lock) => lock.lockId);
    const waiters = this.naive.waitersInTheWay(request, fresh, Infinity, glance);
    must(reply.blockers.length > 0, `${describe(request)} was refused without a reason`);
    for (const blocker of reply.blockers) {
      const real =
        blocker.standing === "holder"
          ? locks.includes(blocker.holder.lockId)
          : waiters.some((one) => one.request.requestId === blocker.waiter.requestId);
      must(real, `${describe(request)} was refused because of somebody who is not in the way`);
    }
    const lengths = fresh.map((path) => this.naive.waiters.filter((one) => one.paths.has(path)).length);
    mustEqual(
      reply.queueLength,
      lengths.reduce((sum, one) => sum + one, 0),
      "length of the queue",
    );
  }

  private promote(request: Request, staleness: number): void {
    const waiter = this.naive.waiterOf(request);
    const places = this.places.get(request.requestId)!;
    must(waiter !== undefined, `${describe(request)} does not wait`);
    const done = this.plan(waiter.managerId, staleness, (view) =>
      promote(view, request, places, this.setting.limits),
    );
    const expected = this.expected.promote(waiter, done.glance);
    const { reply } = done;
    if (done.stale && request.scope === "tree" && reply.kind === "waiting") return;
    must(reply.kind === expected, `${describe(request)}, promoted, was ${reply.kind}, not ${expected}`);
    this.count(`promote: ${reply.kind}`);
    if (reply.kind === "waiting") {
      const locks = this.naive.locksInTheWay(request, waiter.paths, done.glance);
      const known = reply.until === Infinity || locks.some((lock) => lock.expiresAt === reply.until);
      must(known, `${describe(request)} waits until ${reply.until}, when nothing expires`);
      // Whoever is behind locks alone must know when to look again.
      const others = this.naive.waitersInTheWay(request, waiter.paths, waiter.ticket, done.glance);
      must(others.length > 0 || reply.until < Infinity, `${describe(request)} waits for ever behind locks`);
      return;
    }
    this.naive.waiters = this.naive.waiters.filter((one) => one !== waiter);
    if (reply.kind === "gone") return;
    for (const path of waiter.paths) this.naive.takeOffFront(path, waiter, done.glance);
    if (reply.kind === "granted") this.accept(request, reply.granted, done);
  }

  private withdraw(waiter: NaiveWaiter, cause: string, staleness: number): void {
    const { request, managerId } = waiter;
    const places = this.places.get(request.requestId)!;
    const { reply } = this.plan(managerId, staleness, (view) => withdraw(view, request, places, cause));
    must(reply.kind === "gone", `${describe(request)} was ${reply.kind} when it gave up`);
    this.naive.waiters = this.naive.waiters.filter((one) => one !== waiter);
    this.count(`withdrawn: ${cause}`);
  }

  private lookForCycle(request: Request): void {
    const glance = this.glance(this.naive.waiterOf(request)!.managerId);
    const finders = this.finders(glance);
    if (finders.length === 0) return;
    must(finders.length === 1, `${finders.length} waiters see a cycle (invariant I19)`);
    const [victim] = finders as [NaiveWaiter];
    must(
      victim.request === request,
      `${describe(victim.request)} is refused for what ${describe(request)} did`,
    );
    this.count("deadlock");
    this.withdraw(victim, "deadlock", 0);
  }

  /** The waiters that find a cycle, each of which must be real. */
  private finders(glance: Glance): NaiveWaiter[] {
    return this.naive.waiters.filter((waiter) => {
      if (!this.naive.isAlive(waiter, glance)) return false;
      const { request } = waiter;
      const cycle = findCycle(this.view(this.entries, glance), request, this.places.get(request.requestId)!);
      if (cycle !== undefined) this.checkCycle(cycle, request, glance);
      return cycle !== undefined;
    });
  }

  private checkCycle(cycle: readonly Edge[], request: Request, glance: Glance): void {
    must(cycle[0]?.agentId === request.agentId, "a cycle begins with whom it refuses");
    for (const [index, edge] of cycle.entries()) {
      const next = cycle[(index + 1) % cycle.length]!;
      must(edge.blockedBy === next.agentId, "each of a cycle waits for the next");
      must(this.naive.isBehind(edge.agentId, edge.blockedBy, glance), `${JSON.stringify(edge)} is not so`);
    }
  }

  private pickWaiter(which: number): NaiveWaiter | undefined {
    const mine = this.naive.waiters.filter((waiter) => this.managers.includes(waiter.managerId));
    return mine[which % Math.max(mine.length, 1)];
  }

  private nameOf(lock: NaiveLock, wrong: Wrong): Parameters<typeof release>[1] {
    return {
      resource: storedPath(lock.path),
      agentId: wrong === "agent" ? `not ${lock.agentId}` : lock.agentId,
      lockId: wrong === "lock id" ? `not ${lock.lockId}` : lock.lockId,
    };
  }

  private accept(request: Request, granted: readonly Granted[], done: Done<unknown>): void {
    const { glance, revision } = done;
    mustEqual(
      granted.map((one) => one.path),
      request.claims.map((claim) => claim.resource.path),
      "granted (I8)",
    );
    for (const [index, { resource, lockId, ttlMs }] of request.claims.entries()) {
      const { path } = resource;
      const own = this.naive.own(request.agentId, path, glance);
      const asked = glance.latest + ttlMs;
      const holder = granted[index]!.holder;
      if (own === undefined) {
        const { agentId, mode, scope } = request;
        const lock: NaiveLock = {
          lockId,
          path,
          agentId,
          mode,
          scope,
          ttlMs,
          token: revision,
          acquiredAt: glance.latest,
          expiresAt: asked,
        };
        this.begin(lock, glance);
        mustEqual([holder.lockId, holder.token], [lockId, 0], "a new lock");
      } else {
        this.count("re-acquired");
        mustEqual(
          [holder.lockId, holder.token],
          [own.lockId, own.token],
          "a re-acquired lock (invariant I3)",
        );
        if (own.lockId !== lockId) this.joinersOf(own.lockId).add(lockId);
        if (asked > own.expiresAt) this.replace(own, { expiresAt: asked, ttlMs });
      }
    }
    this.granted.push(request);
  }

  private acceptPromoted(promoted: readonly Promoted[], done: Done<unknown>): void {
    for (const { requestId, granted } of promoted) {
      const waiter = this.naive.waiters.find((one) => one.request.requestId === requestId);
      must(waiter !== undefined, `${requestId} was promoted, but does not wait`);
      const expected = this.expected.promote(waiter, done.glance);
      must(expected === "granted", `${describe(waiter.request)} was promoted out of turn: ${expected}`);
      this.naive.waiters = this.naive.waiters.filter((one) => one !== waiter);
      this.accept(waiter.request, [granted], done);
      this.count("handed on");
    }
  }

  private begin(lock: NaiveLock, glance: Glance): void {
    for (const other of this.naive.locks) {
      const ended = !this.naive.inForce(other, glance);
      must(
        !collide(lock, other) || ended,
        `${lock.lockId} was granted beside ${other.lockId} (invariant I1)`,
      );
    }
    for (const other of this.history) {
      must(
        !collide(lock, other) || other.token < lock.token,
        `${lock.lockId} has an old token (invariant I2)`,
      );
    }
    this.history.push(lock);
    this.naive.locks.push(lock);
  }

  private end(lock: NaiveLock): void {
    this.naive.locks = this.naive.locks.filter((one) => one.lockId !== lock.lockId);
  }

  private replace(lock: NaiveLock, change: Partial<NaiveLock>): void {
    this.naive.locks = this.naive.locks.map((one) =>
      one.lockId === lock.lockId ? { ...one, ...change } : one,
    );
  }

  private startManager(): void {
    const id = `m${this.naive.managers.size + 1}`;
    this.managers.push(id);
    this.sayAlive(id);
  }

  private sayAlive(id: string): void {
    const expiresAt = this.now + managerTtlMs;
    const view = this.view(this.entries, this.glance(id));
    view.put(managerKey(id), { expiresAt });
    this.entries.apply(view, this.now);
    this.naive.managers.set(id, expiresAt);
  }

  private count(answer: string): void {
    this.answers.set(answer, (this.answers.get(answer) ?? 0) + 1);
  }
}

function describe({ requestId, agentId, mode, scope, claims }: Request): string {
  return `${requestId} (${agentId} ${mode} ${scope} ${claims.map((claim) => claim.resource.path).join(" ")})`;
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** True when a change at `at` may matter to a claim on `path`: their regions could overlap. */
function concerns(at: string, path: string): boolean {
  return isAtOrBelow(path, at) || isAtOrBelow(at, path);
}
