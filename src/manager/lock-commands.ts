/** The commands on locks that exist: giving back, extending, revoking, and removing what has expired. */
import type { Granted } from "../core/holding.js";
import type { Holder } from "../core/records.js";
import { expire, extend, type LockName, release, revoke } from "../core/release.js";
import { type ResourcePath, storedPath } from "../core/resource-path.js";
import { LockError } from "../errors.js";
import type { Lock } from "../lock-manager.js";
import type { HeldLock, HeldLocks } from "./held-locks.js";
import { lockOf } from "./lock-of.js";
import { lostError, notHolder } from "./refusals.js";
import { run } from "./run.js";
import type { Services } from "./services.js";

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

  /** False when nothing is in force under that name. */
  release(name: LockName, signal?: AbortSignal): Promise<boolean> {
    const { pipeline, aborts, limits, room } = this.#services;
    const held = this.#held.find(name.resource.path, name.lockId);
    if (held !== undefined) held.isLeaving = true;
    let sent: Holder | undefined;
    return run(pipeline, aborts, {
      path: name.resource.path,
      plan: (view) => {
        const reply = release(view, name, limits.maxLocksPerAgent);
        if (reply.kind === "released") sent = reply.holder;
        return reply;
      },
      answer: (reply, { revision, uncertain }) => {
        if (reply.kind === "not holder") throw notHolder("release", name, reply.holder);
        this.#held.released(name.resource.path, name.lockId);
        if (reply.kind === "released") room.serve(reply.promoted, revision);
        // What an earlier attempt without an answer was to end has ended.
        else if (uncertain && sent !== undefined)
          this.#tellEnded("released", name.resource, sent, held?.token);
        return reply.kind === "released" || (uncertain && sent !== undefined);
      },
      onError: (error) => {
        if (held !== undefined) held.isLeaving = false;
        this.#tellFailed("release", name, error);
      },
      signal,
    });
  }

  /** Gives up one handle; the last one releases the lock. */
  letGo(held: HeldLock): Promise<boolean> {
    if (held.end !== undefined) return Promise.resolve(false);
    if (--held.handles > 0) return Promise.resolve(true);
    // A release wins over an extension that is under way.
    held.autoExtend = false;
    return this.release(nameOf(held));
  }

  extend(name: LockName, ttlMs: number | undefined, signal?: AbortSignal): Promise<Lock> {
    const { pipeline, aborts, storeClock } = this.#services;
    return run(pipeline, aborts, {
      path: name.resource.path,
      plan: (view) => {
        const reply = extend(view, name, ttlMs);
        if (reply.kind === "extended") this.#held.doubt(reply.granted);
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
      onError: (error) => {
        if (error instanceof LockError && error.code === "store_unavailable")
          this.#held.undoubt(name.resource.path, name.lockId);
        this.#tellFailed("extend", name, error);
      },
      signal,
    });
  }

  /** Once a holder was told `lost`, that stays so: an extension that came through all the same is given back. */
  async extendHeld(held: HeldLock, ttlMs: number | undefined): Promise<Lock> {
    requireHeld(held);
    const name = nameOf(held);
    const lock = await this.extend(name, ttlMs ?? held.holder.ttlMs);
    if (hasEnded(held)) this.#services.background(this.release(name).catch(() => false));
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
          for (const { holder } of sent) this.#tellEnded("revoked", resource, holder, undefined, order);
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
      needsProof: () => true,
      done: (reply, { revision }) => room.serve(reply.promoted, revision),
      fail: (error) => {
        if (error instanceof LockError && error.code === "closed") return;
        clock.after(expiryRetryMs, () => this.expire(path), { background: true });
      },
    });
  }

  /** Gives a lock back when the manager closes. That this fails is no reason not to close: the lock ends with its ttl. */
  giveBack(held: HeldLock): Promise<unknown> {
    return this.release(nameOf(held)).catch(() => false);
  }

  /** Tells of an end whose own attempt was never answered. */
  #tellEnded(
    type: "released" | "revoked",
    resource: ResourcePath,
    holder: Holder,
    token = holder.token,
    order?: RevokeOrder,
  ): void {
    const { events, storeClock } = this.#services;
    const now = storeClock.latest();
    events.emit({
      type,
      at: new Date(now),
      resourcePath: resource.path,
      resourceType: resource.type,
      lockId: holder.lockId,
      agentId: holder.agentId,
      mode: holder.mode,
      scope: holder.scope,
      ...(token === 0 ? {} : { fencingToken: token }),
      expiresAt: new Date(holder.expiresAt),
      heldMs: Math.max(now - holder.acquiredAt, 0),
      ...(order === undefined ? {} : { cause: order.reason }),
      ...(order?.by === undefined ? {} : { by: order.by }),
    });
  }

  #tellFailed(call: "release" | "extend", name: LockName, error: unknown): void {
    const { events, storeClock } = this.#services;
    if (!(error instanceof LockError)) return;
    events.emit({
      type: "failed",
      at: new Date(storeClock.latest()),
      resourcePath: name.resource.path,
      resourceType: name.resource.type,
      lockId: name.lockId,
      agentId: name.agentId,
      cause: error.code,
      call,
    });
  }
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
