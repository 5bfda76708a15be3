/** The commands on locks that exist: giving back, extending, revoking, and removing what has expired. */
import type { Granted } from "../core/holding.js";
import type { Holder } from "../core/records.js";
import { expire, extend, type LockName, revoke } from "../core/release.js";
import { type ResourcePath, storedPath } from "../core/resource-path.js";
import { LockError } from "../errors.js";
import type { Lock } from "../lock-manager.js";
import type { HeldLock, HeldLocks } from "./held-locks.js";
import { lockOf } from "./lock-of.js";
import type { OpenExtension } from "./open-extension.js";
import { patienceMs } from "./pipeline.js";
import { lostError, notHolder } from "./refusals.js";
import { ReleaseCall } from "./release-call.js";
import { run } from "./run.js";
import type { Services } from "./services.js";
import { tellEnded, tellFailed } from "./tell-of-lock.js";

const expiryRetryMs = 250;

export interface RevokeOrder {
  /** Which lock; all on the path when there is none. */
  readonly lockId: string | undefined;
  readonly reason: string;
  readonly by: string | undefined;
}

export class LockCommands {
  readonly #services: Services;
  readonly #held: HeldLocks;

  constructor(services: Services, held: HeldLocks) {
    this.#services = services;
    this.#held = held;
  }

  /**
   * Gives up all handles of a lock. False when nothing is in force under that name.
   *
   * Whoever acquires the lock again while this is under way, and is told that it has it, relies on it: then it is only the handles that go.
   *
   * @param givenBack the lock as it was when its agent was told of the loss: nobody asked for its release, so any later acquire keeps it.
   */
  release(name: LockName, signal?: AbortSignal, givenBack?: Holder): Promise<boolean> {
    const { pipeline, aborts } = this.#services;
    return run(pipeline, aborts, new ReleaseCall(this.#services, this.#held, { name, signal, givenBack }));
  }

  /** Gives up one handle; the last one releases the lock. */
  letGo(held: HeldLock): Promise<boolean> {
    if (held.end !== undefined) return Promise.resolve(false);
    if (held.handles > 0) held.handles--;
    if (held.handles > 0) return Promise.resolve(true);
    // A release wins over an extension that is under way.
    held.autoExtend = false;
    return this.release(nameOf(held));
  }

  extend(name: LockName, ttlMs: number | undefined, signal?: AbortSignal): Promise<Lock> {
    const { pipeline, aborts, storeClock } = this.#services;
    const { path } = name.resource;
    const open: OpenExtension = { expiresAt: Infinity, overAt: Infinity };
    return run(pipeline, aborts, {
      path,
      plan: (view, { uncertain }) => {
        const reply = extend(view, name, ttlMs);
        if (reply.kind !== "extended") return reply;
        const { expiresAt } = reply.granted.holder;
        // An earlier attempt may have been applied instead.
        open.expiresAt = uncertain ? Math.min(open.expiresAt, expiresAt) : expiresAt;
        open.overAt = view.latest + patienceMs;
        this.#held.sent(path, name.lockId, open);
        return reply;
      },
      answer: (reply, { revision }) => {
        switch (reply.kind) {
          case "extended":
            this.#held.extended(reply.granted);
            return lockOf(reply.granted.path, reply.granted.holder, revision);
          case "lost":
            throw lostError("extend", name, reply.expiredAt, storeClock.latest());
          case "not holder":
            throw notHolder("extend", name, reply.holder);
        }
      },
      onFailure: (error) => {
        if (!isUnknown(error)) this.#held.notExtended(path, name.lockId, open);
      },
      onError: (error) => tellFailed(this.#services, "extend", name, error),
      signal,
    });
  }

  /** Once a holder was told `lost`, that stays so: an extension that came through all the same is given back, unless the lock was acquired again. */
  async extendHeld(held: HeldLock, ttlMs: number | undefined): Promise<Lock> {
    requireHeld(held);
    const name = nameOf(held);
    const lock = await this.extend(name, ttlMs ?? held.holder.ttlMs);
    if (hasEnded(held) && this.#held.find(held.path, name.lockId) === undefined)
      this.#services.background(this.giveBack(held));
    requireHeld(held);
    return lock;
  }

  revoke(
    resource: ResourcePath,
    order: RevokeOrder,
    signal: AbortSignal | undefined,
  ): Promise<readonly Lock[]> {
    const { pipeline, aborts, limits, room } = this.#services;
    let sent: readonly Granted[] = [];
    return run(pipeline, aborts, {
      plan: (view) => {
        const reply = revoke(view, resource, order, limits.maxLocksPerAgent);
        if (reply.revoked.length > 0) sent = reply.revoked;
        return reply;
      },
      answer: (reply, { revision, uncertain }) => {
        // What an earlier attempt without an answer was to end has ended.
        const isDone = uncertain && reply.revoked.length === 0;
        if (isDone)
          for (const { holder } of sent)
            tellEnded(this.#services, "revoked", resource, holder, undefined, order);
        const revoked = isDone ? sent : reply.revoked;
        for (const { path, holder } of revoked) {
          const held = this.#held.find(path, holder.lockId);
          if (held !== undefined) this.#held.lost(held, "revoked");
        }
        room.serve(reply.promoted, revision);
        return revoked.map(({ path, holder }) => lockOf(path, holder, revision));
      },
      signal,
    });
  }

  /** Removes what has surely expired on a path; asks a store that fails again, until it has answered or the manager closes. */
  expire(path: string): void {
    const { pipeline, clock, limits, room } = this.#services;
    const resource = storedPath(path);
    pipeline.submit({
      plan: (view) => expire(view, resource, "timer", limits.maxLocksPerAgent),
      done: (reply, { revision }) => room.serve(reply.promoted, revision),
      fail: (error) => {
        if (error instanceof LockError && error.code === "closed") return;
        clock.after(expiryRetryMs, () => this.expire(path), { background: true });
      },
    });
  }

  /** Gives a lock back that nobody wants any more. That this fails is no reason to do anything else: the lock ends with its ttl. */
  giveBack(held: HeldLock): Promise<unknown> {
    return this.release(nameOf(held), undefined, held.holder).catch(() => false);
  }
}

function isUnknown(error: unknown): boolean {
  return error instanceof LockError && error.code === "outcome_unknown";
}

function hasEnded(held: HeldLock): boolean {
  return held.end !== undefined;
}

function requireHeld(held: HeldLock): void {
  if (held.ended !== undefined) throw held.ended;
}

function nameOf(held: HeldLock): LockName {
  const { agentId, lockId } = held.holder;
  return { resource: held.resource, agentId, lockId };
}
