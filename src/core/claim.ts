/** Claims: what an agent asks for, and when two of them stand in each other's way. */
import { isAtOrBelow, type ResourcePath } from "./resource-path.js";

export type Mode = "exclusive" | "shared";
export type Scope = "resource" | "tree";

/** One path of a request. */
export interface Claim {
  readonly resource: ResourcePath;
  /** Chosen before the first attempt, so that after an unknown outcome the claim knows its own lock. */
  readonly lockId: string;
  readonly ttlMs: number;
}

/** What an acquire asks for: all of its claims, or nothing. */
export interface Request {
  readonly requestId: string;
  readonly agentId: string;
  readonly mode: Mode;
  readonly scope: Scope;
  readonly claims: readonly Claim[];
  readonly reason?: string | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

/** The part of a lock or waiter that decides about conflicts. */
export interface Standing {
  readonly agentId: string;
  readonly mode: Mode;
  readonly scope: Scope;
}

/** Two claims conflict iff their agents differ, at least one is exclusive, and their regions overlap. */
export function conflict(a: Standing, pathA: string, b: Standing, pathB: string): boolean {
  return (
    a.agentId !== b.agentId &&
    (a.mode === "exclusive" || b.mode === "exclusive") &&
    (pathA === pathB ||
      (a.scope === "tree" && isAtOrBelow(pathB, pathA)) ||
      (b.scope === "tree" && isAtOrBelow(pathA, pathB)))
  );
}

/** A place in the one order of all waiters of a store. */
export interface Ticket {
  readonly revision: number;
  readonly ordinal: number;
  /** Breaks ties between changes that a store gave one revision. */
  readonly requestId: string;
}

export function isEarlier(a: Ticket, b: Ticket): boolean {
  if (a.revision !== b.revision) return a.revision < b.revision;
  if (a.ordinal !== b.ordinal) return a.ordinal < b.ordinal;
  return a.requestId < b.requestId;
}
