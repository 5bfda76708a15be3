/**
 * The waiters of this manager, and who of them is to look again when something changed. A released path wakes its first waiter, not all of them;
 * that one passes the word on when the next could go as well.
 */

import { ChurnMap } from "../churn-map.js";
import type { Cancel } from "../clock/clock.js";
import type { Request } from "../core/claim.js";
import type { Promoted } from "../core/queue.js";
import { type ResourcePath, storedPath } from "../core/resource-path.js";
import { giveBack, requestOf } from "./aftermath.js";
import type { Hint } from "./hint.js";
import { LocalQueue, type Seat } from "./local-queue.js";
import { closedError } from "./refusals.js";
import type { Room, Services } from "./services.js";
import type { WaitingCall } from "./waiting-call.js";

type Queue = LocalQueue<WaitingCall>;

/** Covers lost hints. Jittered by a quarter, so that managers fall out of step. */
const pollEveryMs = 1_000;
/** How long newcomers wait for company. Less than the least is not worth a timer. */
const patience = { leastMs: 1, mostMs: 100, ofTimeout: 1 / 4 };
/** After word that a path is free, whoever is not next there looks so much later: when those who are ahead would have said more. */
const inCaseAfter = { commits: 8, leastMs: 20, mostMs: 100 };

export class WaitingRoom implements Room {
  readonly #services: () => Services;
  readonly #byPath = new ChurnMap<string, Queue>();
  /** The queues below a path, for trees. */
  readonly #below = new Map<string, Set<Queue>>();
  readonly #byRequest = new ChurnMap<string, WaitingCall>();
  readonly #byAgent = new ChurnMap<string, WaitingCall>();
  #cancelPoll: Cancel | undefined;
  isClosed = false;

  constructor(services: () => Services) {
    this.#services = services;
  }

  get isEmpty(): boolean {
    return this.#byRequest.size === 0;
  }

  get size(): number {
    return this.#byRequest.size;
  }

  calls(): WaitingCall[] {
    return [...this.#byRequest.values()];
  }

  find(requestId: string): WaitingCall | undefined {
    return this.#byRequest.get(requestId);
  }

  /** Delivers what a release granted to waiters of this manager in its own change. */
  serve(promoted: readonly Promoted[], revision: number): void {
    for (const one of promoted) {
      const call = this.#byRequest.get(one.requestId);
      if (call !== undefined) call.serve([one.granted], revision);
      // It left while this was under way: nobody takes the grant.
      else giveBack(this.#services(), requestOf(one));
    }
  }

  /** `places`: its number in the queue of each claim. */
  enter(call: WaitingCall, places: readonly number[]): void {
    const { requestId, agentId, claims } = call.request;
    this.#byRequest.set(requestId, call);
    call.brother = this.#byAgent.get(agentId);
    this.#byAgent.set(agentId, call);
    call.seats = claims.map(({ resource }, index) => this.#queueAt(resource).enter(call, places[index] ?? 0));
    this.#schedulePoll();
  }

  leave(call: WaitingCall): void {
    const { requestId, agentId } = call.request;
    if (!this.#byRequest.delete(requestId)) return;
    this.#leaveBrothers(call, agentId);
    for (const seat of call.seats) {
      seat.queue.leave(seat);
      if (seat.queue.first === undefined) this.#dropQueue(seat.queue);
    }
  }

  #leaveBrothers(call: WaitingCall, agentId: string): void {
    let before = this.#byAgent.get(agentId);
    if (before === call) {
      if (call.brother === undefined) this.#byAgent.delete(agentId);
      else this.#byAgent.set(agentId, call.brother);
    } else {
      while (before !== undefined && before.brother !== call) before = before.brother;
      if (before !== undefined) before.brother = call.brother;
    }
    call.brother = undefined;
  }

  #queueAt({ path, ancestors }: ResourcePath): Queue {
    let queue = this.#byPath.get(path);
    if (queue === undefined) {
      queue = new LocalQueue(path, ancestors, this.#wakeQueue);
      this.#byPath.set(path, queue);
      for (const above of ancestors) {
        const below = this.#below.get(above);
        if (below === undefined) this.#below.set(above, new Set([queue]));
        else below.add(queue);
      }
    }
    return queue;
  }

  readonly #wakeQueue = (queue: Queue): void => this.#look(queue);

  #dropQueue(queue: Queue): void {
    this.#services().expiries.remove(queue);
    this.#byPath.delete(queue.path);
    for (const above of queue.ancestors) {
      const below = this.#below.get(above);
      below?.delete(queue);
      if (below?.size === 0) this.#below.delete(above);
    }
  }

  /** A place became free: whoever waits there, for a tree above it, or (when it was a tree) anywhere below looks again. */
  freed(path: string, ancestors: readonly string[], tree: boolean): void {
    if (this.isEmpty) return;
    this.#lookInTurn(this.#byPath.get(path));
    for (const above of ancestors) {
      const queue = this.#byPath.get(above);
      if (queue?.hasTree()) this.#look(queue);
    }
    if (tree) for (const queue of this.#below.get(path) ?? []) this.#look(queue);
  }

  /** When a call was served or still waits, the next in the queue may be able to go as well: it shares, or it is the same agent's. */
  passOn(call: WaitingCall): void {
    for (const seat of call.seats) {
      const next = seat.isTaken ? seat.behind : seat.queue.first;
      if (next === undefined) continue;
      const { mode, agentId } = next.call.request;
      if ((mode === "shared" && call.request.mode === "shared") || agentId === call.request.agentId) {
        next.call.look();
      }
    }
  }

  /** A call found itself in no queue any more: the look that it spent was for whoever has its turn. */
  lookBehind(call: WaitingCall): void {
    for (const { queue } of call.seats) this.#lookInTurn(queue);
  }

  /** An agent got a lock: whoever is ahead of its other claims may wait for that lock now, and is then no longer waited for. */
  granted(agentId: string): void {
    for (let call = this.#byAgent.get(agentId); call !== undefined; call = call.brother) {
      call.isEntangled = true;
      call.look();
    }
  }

  lookInTurn(call: WaitingCall): void {
    const [seat] = call.seats;
    const isBehind = seat !== undefined && this.#isBehindOthers(seat);
    // What is below a tree was not expected when it was queued.
    if (isBehind && call.request.scope === "resource") this.#lookInCase(seat.queue);
    else call.look();
  }

  /**
   * While waiters of this manager and of others are ahead of it: those of this manager are company to come, and each of them all takes one commit at
   * least before it could have its turn.
   */
  patienceOf({ claims }: Request, leftMs: number): number {
    const [claim, another] = claims;
    if (claim === undefined || another !== undefined) return 0;
    const queue = this.#byPath.get(claim.resource.path);
    if (queue === undefined) return 0;
    const { pipeline } = this.#services();
    const ahead = pipeline.beliefs.queueAt(queue.path)?.waiting ?? 0;
    if (ahead <= queue.size) return 0;
    const patienceMs = Math.min(ahead * pipeline.commitMs, patience.mostMs, leftMs * patience.ofTimeout);
    return patienceMs < patience.leastMs ? 0 : patienceMs;
  }

  /** Looks again when the locks in the way have surely expired. */
  wakeAt(call: WaitingCall, until: number): void {
    const queue = call.seats[0]?.queue;
    if (!Number.isFinite(until) || queue === undefined) return;
    const { storeClock, expiries } = this.#services();
    const due = storeClock.surelyAt(until);
    if (due >= queue.due) return;
    queue.isDueInCase = false;
    expiries.set(queue, due);
  }

  /** Other managers say that these paths changed. */
  hinted(hints: readonly Hint[], revision: number): void {
    if (this.isEmpty) return;
    const { pipeline } = this.#services();
    for (const hint of hints) {
      pipeline.beliefs.hear(hint, revision);
      this.freed(hint.path, storedPath(hint.path).ancestors, true);
    }
  }

  /** Everybody queues again, under the manager's new id. */
  requeueAll(): void {
    for (const call of this.calls()) {
      this.leave(call);
      call.requeue();
    }
  }

  /** Refuses all who wait, and all who come later. */
  close(): void {
    this.isClosed = true;
    this.#cancelPoll?.();
    for (const call of this.calls()) call.stop(closedError());
  }

  /**
   * The first of a queue looks whether its turn has come. Where a waiter of another manager is ahead of it, that one is left to go first: it looks in a
   * moment, in case that waiter has gone.
   */
  #lookInTurn(queue: Queue | undefined): void {
    const first = queue?.first;
    if (first === undefined) return;
    if (this.#isBehindOthers(first)) this.#lookInCase(first.queue);
    else first.call.look();
  }

  #lookInCase(queue: Queue): void {
    const { clock, expiries, pipeline } = this.#services();
    const { commits, leastMs, mostMs } = inCaseAfter;
    const due = clock.monotonic() + Math.min(Math.max(commits * pipeline.commitMs, leastMs), mostMs);
    if (due >= queue.due && !queue.isDueInCase) return;
    queue.isDueInCase = true;
    expiries.set(queue, due);
  }

  /** For all that is believed. Whoever shares, or whose agent has locks, may go past others. */
  #isBehindOthers({ queue: { path, size }, n, call }: Seat<WaitingCall>): boolean {
    const queue = this.#services().pipeline.beliefs.queueAt(path);
    if (queue === undefined || queue.head >= n || queue.waiting <= size) return false;
    return call.request.mode === "exclusive" && !call.isEntangled;
  }

  /** The first of a queue looks whether its turn has come. */
  #look(queue: Queue): void {
    queue.first?.call.look();
  }

  #schedulePoll(): void {
    if (this.#cancelPoll !== undefined || this.isClosed) return;
    const { clock, random } = this.#services();
    const delay = pollEveryMs * (0.75 + random() * 0.5);
    this.#cancelPoll = clock.after(
      delay,
      () => {
        this.#cancelPoll = undefined;
        this.#poll();
      },
      { background: true },
    );
  }

  #poll(): void {
    if (this.isEmpty) return;
    for (const queue of this.#byPath.values()) {
      queue.first?.call.look(true);
    }
    for (const call of this.#byRequest.values()) {
      if (!call.isEntangled) continue;
      // It does not queue behind those that wait for its agent, so that its turn can come when it is not the first. The first have looked.
      if (!call.seats.some((seat) => seat.queue.first === seat)) call.look();
      // A cycle also closes when an exception to the order of the queue ends, which nobody's arrival shows.
      call.lookForDeadlock();
    }
    this.#schedulePoll();
  }
}
