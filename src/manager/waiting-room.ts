/**
 * The waiters of this manager, and who of them is to look again when something changed. A released path wakes its first waiter, not all of them;
 * that one passes the word on when the next could go as well.
 */

import { ChurnMap } from "../churn-map.js";
import type { Cancel } from "../clock/clock.js";
import type { Promoted } from "../core/queue.js";
import type { ResourcePath } from "../core/resource-path.js";
import { giveBack, requestOf } from "./aftermath.js";
import { LocalQueue } from "./local-queue.js";
import type { Room, Services } from "./services.js";
import type { WaitingCall } from "./waiting-call.js";

type Queue = LocalQueue<WaitingCall>;

/** Covers lost hints. Jittered by a quarter, so that managers fall out of step. */
const pollEveryMs = 1_000;

export class WaitingRoom implements Room {
  readonly #services: () => Services;
  readonly #byPath = new ChurnMap<string, Queue>();
  /** The queues below a path, for trees. */
  readonly #below = new Map<string, Set<Queue>>();
  readonly #byRequest = new ChurnMap<string, WaitingCall>();
  readonly #byAgent = new ChurnMap<string, WaitingCall>();
  #cancelPoll: Cancel | undefined;
  #closed = false;

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
    this.#look(this.#byPath.get(path));
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

  /** An agent got a lock: whoever is ahead of its other claims may wait for that lock now, and is then no longer waited for. */
  granted(agentId: string): void {
    for (let call = this.#byAgent.get(agentId); call !== undefined; call = call.brother) {
      call.isEntangled = true;
      call.look();
    }
  }

  /** Looks again when the locks in the way have surely expired. */
  wakeAt(call: WaitingCall, until: number): void {
    const queue = call.seats[0]?.queue;
    if (!Number.isFinite(until) || queue === undefined) return;
    const { storeClock, expiries } = this.#services();
    const due = storeClock.surelyAt(until);
    if (due < queue.due) expiries.set(queue, due);
  }

  /** Other managers say that these paths changed: what is believed of them is forgotten. */
  hinted(paths: readonly string[], ancestorsOf: (path: string) => readonly string[]): void {
    if (this.isEmpty) return;
    const { pipeline } = this.#services();
    for (const path of paths) {
      pipeline.forget([path]);
      this.freed(path, ancestorsOf(path), true);
    }
  }

  /** Everybody queues again, under the manager's new id. */
  requeueAll(): void {
    for (const call of this.calls()) {
      this.leave(call);
      call.requeue();
    }
  }

  close(): void {
    this.#closed = true;
    this.#cancelPoll?.();
  }

  /** The first of a queue looks whether its turn has come. */
  #look(queue: Queue | undefined): void {
    queue?.first?.call.look();
  }

  #schedulePoll(): void {
    if (this.#cancelPoll !== undefined || this.#closed) return;
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
