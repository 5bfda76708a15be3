/** A lock in the hands of its holder. */
import type { AcquiredLock, Duration, Lock, Mode, Scope } from "../lock-manager.js";
import type { RemoteLock } from "./remote-lock.js";

/** What a handle asks of its manager. */
export interface Keeper {
  readonly extend: (remote: RemoteLock, ttl: Duration | undefined) => Promise<Lock>;
  /** One handle less; with the last one the lock is released. */
  readonly letGo: (remote: RemoteLock) => Promise<boolean>;
}

export class RemoteHandle implements AcquiredLock {
  readonly lockId: string;
  readonly resourcePath: string;
  readonly agentId: string;
  readonly mode: Mode;
  readonly scope: Scope;
  readonly fencingToken: number;
  readonly acquiredAt: Date;
  declare readonly reason?: string;
  declare readonly metadata?: Readonly<Record<string, string>>;
  readonly #remote: RemoteLock;
  readonly #keeper: Keeper;
  #released = false;

  constructor(remote: RemoteLock, keeper: Keeper) {
    const { lock } = remote;
    this.lockId = lock.lockId;
    this.resourcePath = lock.resourcePath;
    this.agentId = lock.agentId;
    this.mode = lock.mode;
    this.scope = lock.scope;
    this.fencingToken = lock.fencingToken;
    this.acquiredAt = lock.acquiredAt;
    if (lock.reason !== undefined) this.reason = lock.reason;
    if (lock.metadata !== undefined) this.metadata = lock.metadata;
    this.#remote = remote;
    this.#keeper = keeper;
  }

  /** Given back through this handle. */
  get isReleased(): boolean {
    return this.#released;
  }

  get expiresAt(): Date {
    return this.#remote.lock.expiresAt;
  }

  get ttlMs(): number {
    return this.#remote.lock.ttlMs;
  }

  get signal(): AbortSignal {
    return this.#remote.signal;
  }

  extend(ttl?: Duration): Promise<Lock> {
    return this.#keeper.extend(this.#remote, ttl);
  }

  release(): Promise<boolean> {
    if (this.#released) return Promise.resolve(false);
    this.#released = true;
    return this.#keeper.letGo(this.#remote);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  /** The lock as plain data; `JSON.stringify` and `console.log` use it. */
  toJSON(): Lock {
    return this.#remote.lock;
  }

  [Symbol.for("nodejs.util.inspect.custom")](): Lock {
    return this.toJSON();
  }
}

/** Given back through this very handle. */
export function isReleased(lock: AcquiredLock): boolean {
  return lock instanceof RemoteHandle && lock.isReleased;
}
