/** The locks that a session acquired. Its caller is told when one ends, and what nobody is left to have is given back. */
import { ChurnMap } from "../../churn-map.js";
import type { LockError } from "../../errors.js";
import type { AcquiredLock } from "../../lock-manager.js";
import { Handle } from "../../manager/handle.js";
import type { End, EndListener } from "../../manager/lock-end.js";
import { problemOf } from "../../protocol/problem.js";
import type { ReleaseRequest } from "../../protocol/release.js";
import type { Services } from "../services.js";

interface Named {
  readonly lockId: string;
  readonly resourcePath: string;
}

type LockNames = ReleaseRequest["locks"];

export class SessionLocks implements EndListener {
  readonly #services: Services;
  readonly #tell: (message: string) => void;
  /** Ids of locks that the caller releases just now. */
  readonly #leaving = new ChurnMap<string, true>();
  /** By lock id and path. */
  readonly #bound = new ChurnMap<string, AcquiredLock>();
  /** Granted while there was no connection. */
  #untold: AcquiredLock[] = [];
  #isOver = false;

  /** @param tell takes a message, JSON. */
  constructor(services: Services, tell: (message: string) => void) {
    this.#services = services;
    this.#tell = tell;
  }

  /** @param isTold its grant goes out over a connection. */
  keep(lock: AcquiredLock, isBound: boolean, isTold: boolean): void {
    if (this.#isOver) {
      this.#giveBack(lock);
      return;
    }
    if (!isTold) this.#untold.push(lock);
    if (isBound) this.#bound.set(nameOf(lock), lock);
    if (lock instanceof Handle) lock.whenEnded(this);
  }

  /** The caller is releasing these by itself: their end is no news. */
  leaving(locks: LockNames = []): void {
    for (const { lock_id } of locks) if (lock_id !== undefined) this.#leaving.set(lock_id, true);
  }

  left(locks: LockNames = []): void {
    for (const { lock_id } of locks) if (lock_id !== undefined) this.#leaving.delete(lock_id);
  }

  /** There is a connection, over which the grants of before go out. */
  told(): void {
    this.#untold = [];
  }

  lockEnded(lock: Named, end: End, why: () => LockError): void {
    this.#bound.delete(nameOf(lock));
    if (this.#isOver || end === "closed" || (end === "released" && this.#leaving.has(lock.lockId))) return;
    const problem = problemOf(why(), { now: this.#services.manager.currentTime() });
    const lost = { resource_path: lock.resourcePath, lock_id: lock.lockId, problem };
    this.#tell(JSON.stringify({ lost }));
  }

  /** Gives back what was never told of and what was bound to the session. */
  end(): void {
    this.#isOver = true;
    for (const lock of [...this.#untold, ...this.#bound.values()]) this.#giveBack(lock);
    this.#untold = [];
  }

  #giveBack(lock: AcquiredLock): void {
    const { background, log } = this.#services;
    background.run(
      () => lock.release(),
      (error) =>
        log.warn({ err: error }, "could not give back the lock of a caller that is gone; it will expire"),
    );
  }
}

function nameOf({ lockId, resourcePath }: Named): string {
  return `${lockId} ${resourcePath}`;
}
