/** What a release on the wire asks of the lock manager: locks that are named, all of an agent, or by force. */

import type { z } from "zod";
import { invalid } from "../errors.js";
import type { Lock, LockManager } from "../lock-manager.js";
import { lockToJson } from "../protocol/lock.js";
import type { ReleaseRequest, releasedSchema } from "../protocol/release.js";
import { allOf } from "./each-lock.js";
import { required } from "./request-agent.js";

export interface Released {
  readonly released: readonly boolean[];
  readonly locks?: readonly Lock[];
}

type Named = NonNullable<ReleaseRequest["locks"]>;

/** @param agentId who asks; only a release by force needs nobody. @throws LockError. */
export function releaseLocks(
  manager: LockManager,
  agentId: string | undefined,
  request: ReleaseRequest,
): Promise<Released> {
  const { locks, force, reason = "" } = request;
  if (locks === undefined) return releaseAll(manager, required(agentId));
  if (force === true) return releaseByForce(manager, agentId, reason, locks);
  return releaseNamed(manager, required(agentId), locks);
}

/** @throws LockError `invalid` for what does not go together. */
export function refuseMixtures({ locks, all, acquired_with, force, reason }: ReleaseRequest): void {
  const ways = [locks, all, acquired_with].filter((way) => way !== undefined);
  if (ways.length !== 1) throw invalid("locks", locks, "exactly one of locks, all and acquired_with");
  if (force === true && locks === undefined) throw invalid("force", force, "to come with locks");
  if (force === true && reason === undefined) throw invalid("reason", reason, "why, as it is by force");
  if (force !== true && reason !== undefined) throw invalid("reason", reason, "none, unless it is by force");
}

export function releasedToJson({ released, locks }: Released, now: Date): z.output<typeof releasedSchema> {
  return {
    released: [...released],
    ...(locks !== undefined && { locks: locks.map((lock) => lockToJson(lock, now)) }),
  };
}

function releaseNamed(manager: LockManager, agentId: string, locks: Named): Promise<Released> {
  const named = locks.map(({ resource_path, lock_id }, index) => {
    if (lock_id === undefined)
      throw invalid(`locks[${index}].lock_id`, lock_id, "the lock id that came with the lock");
    return { path: resource_path, lockId: lock_id };
  });
  const releases = allOf(named, ({ path, lockId }) => manager.releaseLock(path, agentId, lockId));
  return releases.then((released) => ({ released }));
}

async function releaseByForce(
  manager: LockManager,
  by: string | undefined,
  reason: string,
  locks: Named,
): Promise<Released> {
  const ended = await allOf(locks, ({ resource_path, lock_id }) =>
    manager.forceRelease(resource_path, {
      reason,
      ...(lock_id !== undefined && { lockId: lock_id }),
      ...(by !== undefined && { by }),
    }),
  );
  return { released: ended.map((each) => each.length > 0), locks: ended.flat() };
}

async function releaseAll(manager: LockManager, agentId: string): Promise<Released> {
  const locks = await manager.getAgentLocks(agentId);
  const released = await allOf(locks, (lock) => manager.releaseLock(lock.resourcePath, agentId, lock.lockId));
  return { released, locks };
}
