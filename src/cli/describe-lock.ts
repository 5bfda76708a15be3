/** Locks and waiters in words. */
import { formatDuration } from "../duration.js";
import type { Lock, Waiter } from "../lock-manager.js";
import type { Fact } from "./fact-lines.js";
import { printable } from "./printable.js";
import { timeSince, timeUntil } from "./times.js";

/** `ci-42 (host runner-3) for "release 1.8.0"`. */
export function whoAndWhy(claim: Lock | Waiter): string {
  const host = claim.metadata?.["host"];
  const where = host === undefined || claim.agentId.includes(host) ? "" : ` (host ${printable(host, 64)})`;
  const why = claim.reason === undefined ? "" : ` for "${printable(claim.reason)}"`;
  return `${printable(claim.agentId)}${where}${why}`;
}

/** Three lines at most: who and why, what exactly when it is not the path asked about, since and until when. */
export function holderFacts(lock: Lock, askedPath: string, now: Date): Fact[] {
  const extended = lock.expiresAt.getTime() - lock.acquiredAt.getTime() > lock.ttlMs;
  const expiry = `expires ${timeUntil(lock.expiresAt, now)}${extended ? ", being extended" : ""}`;
  return [
    ["held by", whoAndWhy(lock)],
    ...(lock.resourcePath === askedPath ? [] : [["on", describeClaim(lock)] as const]),
    ["since", `${timeSince(lock.acquiredAt, now)}   ${expiry}`],
  ];
}

/** `/repo and all below, shared`. */
export function describeClaim(claim: Lock | Waiter): string {
  return `${showPath(claim.resourcePath)}${claim.scope === "tree" ? " and all below" : ""}, ${claim.mode}`;
}

/** Paths may be long, and are shown whole: they are what one copies. */
export function showPath(path: string): string {
  return printable(path, 1024);
}

/** `exclusive`, `shared tree`. */
export function modeAndScope(claim: Lock | Waiter): string {
  return claim.scope === "tree" ? `${claim.mode} tree` : claim.mode;
}

export function heldFor(lock: Lock, now: Date): string {
  return formatDuration(Math.max(0, now.getTime() - lock.acquiredAt.getTime()));
}

/** `1st`, `2nd`, `11th`. */
export function ordinal(place: number): string {
  const teens = place % 100 >= 11 && place % 100 <= 13;
  const ending = teens ? undefined : ["th", "st", "nd", "rd"][place % 10];
  return `${place}${ending ?? "th"}`;
}
