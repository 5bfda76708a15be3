/** A lock in the hands of its holder. */
import { inspect } from "node:util";
import type { AcquiredLock, Duration, Lock, Mode, Scope } from "../lock-manager.js";
import type { HeldLock } from "./held-locks.js";
import type { EndListener } from "./lock-end.js";
import { lockOf } from "./lock-of.js";

/** What a handle asks of its manager. */
export interface Keeper {
  signalOf(held: HeldLock): AbortSignal;
  extend(held: HeldLock, ttl: Duration | undefined): Promise<Lock>;
  letGo(held: HeldLock): Promise<boolean>;
}

export class Handle implements AcquiredLock {
  readonly lockId: string;
  readonly resourcePath: string;
  readonly agentId: string;
  readonly mode: Mode;
  readonly scope: Scope;
  readonly fencingToken: number;
  readonly acquiredAt: Date;
  declare readonly reason?: string;
  declare readonly metadata?: Readonly<Record<string, string>>;
  readonly #held: HeldLock;
  readonly #keeper: Keeper;
  #released = false;

  constructor(held: HeldLock, keeper: Keeper) {
    const { holder } = held;
    this.lockId = holder.lockId;
    this.resourcePath = held.path;
    this.agentId = holder.agentId;
    this.mode = holder.mode;
    this.scope = holder.scope;
    this.fencingToken = held.token;
    this.acquiredAt = new Date(holder.acquiredAt);
    if (holder.reason !== undefined) this.reason = holder.reason;
    if (holder.metadata !== undefined) this.metadata = holder.metadata;
    this.#held = held;
    this.#keeper = keeper;
  }

  /** Tells of the end of the lock, however it ends, unless it has ended. Costs less than the signal. */
  whenEnded(listener: EndListener): void {
    const held = this.#held;
    if (held.end === undefined && !held.listeners.includes(listener))
      held.listeners = [...held.listeners, listener];
  }

  /** Given back through this handle. */
  get isReleased(): boolean {
    return this.#released;
  }

  get expiresAt(): Date {
    return new Date(this.#held.expiresAt);
  }

  get ttlMs(): number {
    return this.#held.holder.ttlMs;
  }

  get signal(): AbortSignal {
    return this.#keeper.signalOf(this.#held);
  }

  extend(ttl?: Duration): Promise<Lock> {
    return this.#keeper.extend(this.#held, ttl);
  }

  release(): Promise<boolean> {
    if (this.#released) return Promise.resolve(false);
    this.#released = true;
    return this.#keeper.letGo(this.#held);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  /** The lock as plain data; `JSON.stringify` and `console.log` use it. */
  toJSON(): Lock {
    return lockOf(this.resourcePath, this.#held.holder, this.#held.token);
  }

  [inspect.custom](): Lock {
    return this.toJSON();
  }
}

/** Given back through this very handle. */
export function isReleased(lock: AcquiredLock): boolean {
  return lock instanceof Handle && lock.isReleased;
}
