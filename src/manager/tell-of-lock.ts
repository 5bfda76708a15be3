/** Events of calls on locks that do not come from a commit. */

import type { Holder } from "../core/records.js";
import type { LockName } from "../core/release.js";
import type { ResourcePath } from "../core/resource-path.js";
import { LockError } from "../errors.js";
import type { Services } from "./services.js";

/** By whom, and why. */
interface Order {
  readonly reason: string;
  readonly by: string | undefined;
}

/** Tells of an end whose own attempt was never answered. */
export function tellEnded(
  { events, storeClock }: Services,
  type: "released" | "revoked",
  resource: ResourcePath,
  holder: Holder,
  token = holder.token,
  order?: Order,
): void {
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

export function tellFailed(
  { events, storeClock }: Services,
  call: "release" | "extend",
  name: LockName,
  error: unknown,
): void {
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
