/** Durations may be given as text or number (`ttl`), or as milliseconds (`ttl_ms`), not as both. */
import { invalid } from "../errors.js";
import type { Duration } from "../lock-manager.js";

/** @throws LockError `invalid` when both are given. */
export function eitherDuration(
  field: "ttl" | "timeout",
  duration: Duration | undefined,
  milliseconds: number | undefined,
): Duration | undefined {
  if (duration !== undefined && milliseconds !== undefined)
    throw invalid(`${field}_ms`, milliseconds, `${field} or ${field}_ms, not both`);
  return duration ?? milliseconds;
}

/** A duration as a query or the command line has it: whole digits are milliseconds. */
export function durationOfText(text: string): Duration {
  return /^\d{1,16}$/.test(text) ? Number(text) : text;
}
