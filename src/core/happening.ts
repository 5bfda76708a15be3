/** What a plan makes happen, told only once its change is committed. */
import type { Mode, Scope } from "./claim.js";
import type { Holder, WaitRecord } from "./records.js";
import { typeOf } from "./resource-path.js";

export type HappeningType =
  | "acquired"
  | "extended"
  | "released"
  | "expired"
  | "revoked"
  | "queued"
  | "dequeued";

export interface Happening {
  readonly type: HappeningType;
  readonly path: string;
  readonly resourceType: string;
  readonly lockId: string;
  readonly agentId: string;
  readonly mode: Mode;
  readonly scope: Scope;
  readonly reason?: string | undefined;
  /** 0: the revision of the change itself. */
  readonly token?: number;
  readonly expiresAt?: number;
  readonly heldMs?: number | undefined;
  readonly cause?: string | undefined;
  readonly by?: string | undefined;
}

type HolderHappening = Exclude<HappeningType, "queued" | "dequeued">;

/** Something that happened to a lock. `at` is when it ended, for those that end it. */
export function aboutHolder(
  type: HolderHappening,
  path: string,
  holder: Holder,
  revision: number,
  endedAt?: number,
  cause?: string,
  by?: string,
): Happening {
  return {
    type,
    path,
    resourceType: typeOf(path),
    lockId: holder.lockId,
    agentId: holder.agentId,
    mode: holder.mode,
    scope: holder.scope,
    reason: holder.reason,
    token: holder.token === 0 ? revision : holder.token,
    expiresAt: holder.expiresAt,
    heldMs: endedAt === undefined ? undefined : Math.max(endedAt - holder.acquiredAt, 0),
    cause,
    by,
  };
}

export function aboutWaiter(
  type: "queued" | "dequeued",
  path: string,
  waiter: WaitRecord,
  cause?: string,
): Happening {
  return {
    type,
    path,
    resourceType: typeOf(path),
    lockId: waiter.lockId,
    agentId: waiter.agentId,
    mode: waiter.mode,
    scope: waiter.scope,
    reason: waiter.reason,
    cause,
  };
}
