/**
 * The waiters of this manager, and who of them is to look again when something changed. A released path wakes its first waiter, not all of them;
 * that one passes the word on when the next could go as well.
 */

import type { Cancel } from "../clock/clock.js";
import type { Promoted } from "../core/queue.js";
import { giveBack, requestOf } from "./aftermath.js";
import type { Room, Services } from "./services.js";
import type { Bucket, Timed } from "./timer-wheel.js";
import type { WaitingCall } from "./waiting-call.js";

/** Covers lost hints. Jittered by a quarter, so that managers fall out of step. */
const pollEveryMs = 1_000;

/** The waiters of one path in the order of its queue, and when to look again without being told. */
class LocalQueue implements Timed {
  readonly path: string;
  readonly calls = new Map<number, WaitingCall>();
  bucket: Bucket | undefined = undefined;
  before: Timed | undefined = undefined;
  after: Timed | undefined = undefined;
  due = Infinity;
  readonly #wake: (path: string) => void;

  constructor(path: string, wake: (path: string) => void) {
    this.path = path;
    this.#wake = wake;
  }

  onDue(): void {
    this.due = Infinity;
    this.#wake(this.path);
  }

  /** In the order of the queue: numbers only ever grow, and a map keeps the order of insertion. */
  first(): WaitingCall | undefined {
    for (const call of this.calls.values()) return call;
    return undefined;
  }

  behind(n: number): WaitingCall | undefined {
    let passed = false;
    for (const [number, call] of this.calls) {
      if (passed) return call;
      passed = number === n;
    }
    return undefined;
  }
}

export class WaitingRoom implements Room {
  readonly #services: () => Services;
  readonly #byPath = new Map<string, LocalQueue>();
  /** The queues at or below a path, for trees. */
  readonly #below = new Map<string, Set<LocalQueue>>();
  readonly #byRequest = new Map<string, WaitingCall>();
  readonly #byAgent = new Map<string, Set<WaitingCall>>();
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

  enter(call: WaitingCall): void {
    this.#byRequest.set(call.request.requestId, call);
    const calls = this.#byAgent.get(call.request.agentId);
    if (calls === undefined) this.#byAgent.set(call.request.agentId, new Set([call]));
    else calls.add(call);
    for (const [index, claim] of call.request.claims.entries()) {
      this.#queueAt(claim.resource).calls.set(call.places[index] ?? 0, call);
    }
    this.#schedulePoll();
  }

  leave(call: WaitingCall): void {
    if (!this.#byRequest.delete(call.request.requestId)) return;
    const calls = this.#byAgent.get(call.request.agentId);
    calls?.delete(call);
    if (calls?.size === 0) this.#byAgent.delete(call.request.agentId);
    for (const [index, claim] of call.request.claims.entries()) {
      const queue = this.#byPath.get(claim.resource.path);
      if (queue === undefined || queue.calls.get(call.places[index] ?? 0) !== call) continue;
      queue.calls.delete(call.places[index] ?? 0);
      if (queue.calls.size === 0) this.#dropQueue(queue, claim.resource.ancestors);
    }
  }

  #queueAt(resource: { readonly path: string; readonly ancestors: readonly string[] }): LocalQueue {
    let queue = this.#byPath.get(resource.path);
    if (queue === undefined) {
      queue = new LocalQueue(resource.path, (path) => this.wake(path));
      this.#byPath.set(resource.path, queue);
      for (const above of resource.ancestors) {
        const below = this.#below.get(above);
        if (below === undefined) this.#below.set(above, new Set([queue]));
        else below.add(queue);
      }
    }
    return queue;
  }

  #dropQueue(queue: LocalQueue, ancestors: readonly string[]): void {
    this.#services().expiries.remove(queue);
    this.#byPath.delete(queue.path);
    for (const above of ancestors) {
      const below = this.#below.get(above);
      below?.delete(queue);
      if (below?.size === 0) this.#below.delete(above);
    }
  }

  /** Something on this path became free: its first waiter looks again. */
  wake(path: string): void {
    const queue = this.#byPath.get(path);
    if (queue !== undefined) this.#look(queue.first());
  }

  /** A place became free: whoever waits there, for a tree above it, or (when it was a tree) anywhere below looks again. */
  freed(path: string, ancestors: readonly string[], tree: boolean): void {
    if (this.#byRequest.size === 0) return;
    this.wake(path);
    for (const above of ancestors) {
      const queue = this.#byPath.get(above);
      if (queue !== undefined && this.#firstTree(queue)) this.wake(above);
    }
    if (tree) for (const queue of this.#below.get(path) ?? []) this.#look(queue.first());
  }

  #firstTree(queue: LocalQueue): boolean {
    for (const call of queue.calls.values()) if (call.request.scope === "tree") return true;
    return false;
  }

  /** When a call was served or still waits, the next in the queue may be able to go as well: it shares, or it is the same agent's. */
  passOn(call: WaitingCall): void {
    for (const [index, claim] of call.request.claims.entries()) {
      const queue = this.#byPath.get(claim.resource.path);
      if (queue === undefined) continue;
      const n = call.places[index] ?? 0;
      const next = queue.calls.has(n) ? queue.behind(n) : queue.first();
      if (next === undefined) continue;
      const { mode, agentId } = next.request;
      if ((mode === "shared" && call.request.mode === "shared") || agentId === call.request.agentId) {
        this.#look(next);
      }
    }
  }

  /** An agent got a lock: whoever is ahead of its other claims may wait for that lock now, and is then no longer waited for. */
  granted(agentId: string): void {
    for (const call of this.#byAgent.get(agentId) ?? []) {
      call.isEntangled = true;
      call.look();
    }
  }

  /** Looks again when the locks in the way have surely expired. */
  wakeAt(call: WaitingCall, until: number): void {
    if (until === Infinity) return;
    const { storeClock, expiries } = this.#services();
    const path = call.request.claims[0]?.resource.path ?? "/";
    const queue = this.#byPath.get(path);
    if (queue === undefined) return;
    const due = storeClock.surelyAt(until);
    if (due < queue.due) expiries.set(queue, due);
  }

  /** Other managers say that these paths changed: what is believed of them is forgotten. */
  hinted(paths: readonly string[], ancestorsOf: (path: string) => readonly string[]): void {
    if (this.#byRequest.size === 0) return;
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

  #look(call: WaitingCall | undefined): void {
    call?.look();
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
    if (this.#byRequest.size === 0) return;
    const { pipeline } = this.#services();
    for (const queue of this.#byPath.values()) {
      const call = queue.first();
      if (call === undefined) continue;
      pipeline.forget(call.request.claims.flatMap(({ resource }) => [resource.path, ...resource.ancestors]));
      this.#look(call);
    }
    for (const call of this.#byRequest.values()) {
      if (!call.isEntangled) continue;
      // It does not queue behind those that wait for its agent, so that its turn can come when it is not the first.
      call.look();
      // A cycle also closes when an exception to the order of the queue ends, which nobody's arrival shows.
      call.lookForDeadlock();
    }
    this.#schedulePoll();
  }
}
