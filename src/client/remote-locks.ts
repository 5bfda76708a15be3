/** The locks that this process acquired from a server. Handles of one lock are counted: the last one to be released releases it. */
import type { Clock } from "../clock/clock.js";
import type { AcquiredLock, Duration, Lock } from "../lock-manager.js";
import { RemoteHandle } from "./remote-handle.js";
import { RemoteLock } from "./remote-lock.js";
import type { StoreTime } from "./store-time.js";

export interface RemoteLocksParts {
  readonly clock: Clock;
  readonly storeTime: StoreTime;
  readonly extend: (lock: Lock, ttl: Duration) => Promise<Lock>;
  readonly release: (lock: Lock) => Promise<boolean>;
}

export class RemoteLocks {
  readonly #parts: RemoteLocksParts;
  /** By lock id and path: a lock id names a lock only together with its path. */
  readonly #held = new Map<string, RemoteLock>();

  constructor(parts: RemoteLocksParts) {
    this.#parts = parts;
  }

  /** A handle on a lock that was acquired, perhaps not for the first time. */
  hold(lock: Lock, autoExtend: boolean): AcquiredLock {
    const { clock, storeTime, extend } = this.#parts;
    const name = nameOf(lock.resourcePath, lock.lockId);
    const remote =
      this.#held.get(name) ??
      new RemoteLock(lock, {
        clock,
        storeTime,
        extend: (current) => extend(current, current.ttlMs),
        onEnd: () => this.#held.delete(name),
      });
    this.#held.set(name, remote);
    remote.handles++;
    remote.autoExtend ||= autoExtend;
    remote.prolong(lock);
    return new RemoteHandle(remote, {
      extend: (current, ttl) => extend(current, ttl ?? current.ttlMs),
      letGo: (one) => this.#letGo(one),
    });
  }

  find(resourcePath: string, lockId: string): RemoteLock | undefined {
    return this.#held.get(nameOf(resourcePath, lockId));
  }

  all(): readonly RemoteLock[] {
    return [...this.#held.values()];
  }

  async #letGo(remote: RemoteLock): Promise<boolean> {
    remote.handles--;
    if (remote.signal.aborted) return false;
    return remote.handles > 0 || this.#parts.release(remote.lock);
  }
}

function nameOf(resourcePath: string, lockId: string): string {
  return `${lockId} ${resourcePath}`;
}
