/** The locks that this process acquired from a server. Handles of one lock are counted: the last one to be released releases it. */
import { ChurnMap } from "../churn-map.js";
import type { Clock } from "../clock/clock.js";
import { TimerWheel } from "../clock/timer-wheel.js";
import { LockError } from "../errors.js";
import type { AcquiredLock, Duration, Lock } from "../lock-manager.js";
import { RemoteHandle } from "./remote-handle.js";
import { RemoteLock, type RemoteLockParts } from "./remote-lock.js";
import type { StoreTime } from "./store-time.js";

export interface RemoteLocksParts {
  readonly clock: Clock;
  readonly storeTime: StoreTime;
  readonly trouble: () => string | undefined;
  readonly extend: (lock: Lock, ttl: Duration | undefined) => Promise<Lock>;
  readonly release: (lock: Lock) => Promise<boolean>;
}

export class RemoteLocks {
  readonly #parts: RemoteLocksParts;
  readonly #timers: TimerWheel;
  readonly #surroundings: RemoteLockParts;
  /** By lock id and path: a lock id names a lock only together with its path. */
  readonly #held = new ChurnMap<string, RemoteLock>();
  readonly #autoExtended = new ChurnMap<RemoteLock, RemoteLock>();

  constructor(parts: RemoteLocksParts) {
    this.#parts = parts;
    const { clock, storeTime, trouble } = parts;
    this.#timers = new TimerWheel(clock, { background: true });
    this.#surroundings = {
      clock,
      storeTime,
      trouble,
      timers: this.#timers,
      onExtensionDue: this.#extendDue,
      onEnd: this.#forget,
    };
  }

  get size(): number {
    return this.#held.size;
  }

  /** A handle on a lock that was acquired, perhaps not for the first time. */
  hold(lock: Lock, autoExtend: boolean): AcquiredLock {
    const name = nameOf(lock.resourcePath, lock.lockId);
    let remote = this.#held.get(name);
    if (remote === undefined) {
      remote = new RemoteLock(lock, this.#surroundings);
      this.#held.set(name, remote);
    }
    remote.handles++;
    remote.grants++;
    if (autoExtend) {
      remote.autoExtend = true;
      this.#autoExtended.set(remote, remote);
    }
    remote.prolong(lock);
    return new RemoteHandle(remote, this.#keeper);
  }

  readonly #keeper = {
    extend: async (remote: RemoteLock, ttl: Duration | undefined): Promise<Lock> => {
      requireHeld(remote);
      const lock = await this.#parts.extend(remote.lock, ttl ?? remote.lock.ttlMs);
      requireHeld(remote);
      return lock;
    },
    letGo: (remote: RemoteLock): Promise<boolean> => this.#letGo(remote),
  };

  find(resourcePath: string, lockId: string): RemoteLock | undefined {
    return this.#held.get(nameOf(resourcePath, lockId));
  }

  all(): readonly RemoteLock[] {
    return [...this.#held.values()];
  }

  close(): void {
    this.#timers.close();
  }

  #letGo(remote: RemoteLock): Promise<boolean> {
    remote.handles--;
    if (remote.isOver) return Promise.resolve(false);
    if (remote.handles > 0) return Promise.resolve(true);
    // A release wins over an extension.
    remote.autoExtend = false;
    this.#autoExtended.delete(remote);
    return this.#parts.release(remote.lock);
  }

  readonly #forget = (remote: RemoteLock): void => {
    const { resourcePath, lockId } = remote.lock;
    this.#held.delete(nameOf(resourcePath, lockId));
    this.#autoExtended.delete(remote);
  };

  /** Extends with the one whose time has come all those whose time comes soon, so that they share a frame. */
  readonly #extendDue = (): void => {
    const now = this.#parts.clock.monotonic();
    for (const remote of this.#autoExtended.values()) {
      const isSoon = remote.extendAt <= now + remote.lock.ttlMs / 6;
      if (isSoon && !remote.isExtending) this.#extend(remote);
    }
  };

  #extend(remote: RemoteLock): void {
    remote.isExtending = true;
    this.#parts.extend(remote.lock, remote.lock.ttlMs).then(
      () => {
        remote.isExtending = false;
        remote.prolong(remote.lock);
      },
      (error: unknown) => {
        remote.isExtending = false;
        // Any other failure is tried again, until the lock may have expired.
        if (error instanceof LockError && (error.code === "lost" || error.code === "not_holder"))
          remote.lose("it is no longer in force");
        else remote.extendSoon();
      },
    );
  }
}

function requireHeld({ ended }: RemoteLock): void {
  if (ended !== undefined) throw ended;
}

function nameOf(resourcePath: string, lockId: string): string {
  return `${lockId} ${resourcePath}`;
}
