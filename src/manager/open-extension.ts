/**
 * Extensions whose outcome is open. One that cuts a lock short counts from when it is sent, because others may go by the earlier expiry before its
 * reply has come (invariant I16); one that prolongs counts only once it is known.
 */
import type { StoreTime } from "../store/store.js";

export interface OpenExtension {
  /** The expiry that it may have given the lock. */
  expiresAt: StoreTime;
  /** Store time after which it is not applied any more: what is read later shows what came of it. */
  overAt: StoreTime;
}

/** When a lock ends at the soonest. */
export function soonest(expiresAt: StoreTime, open: readonly OpenExtension[]): StoreTime {
  let least = expiresAt;
  for (const one of open) least = Math.min(least, one.expiresAt);
  return least;
}

/** Those that a read at that store time may have been too early for. */
export function stillOpen(open: readonly OpenExtension[], readAt: StoreTime): readonly OpenExtension[] {
  return open.length === 0 ? open : open.filter(({ overAt }) => overAt >= readAt);
}
