/** Durations as people write them, and the one rule for what is accepted. */
import parse from "parse-duration";
import { invalid } from "./errors.js";

/** parse-duration alone would also take "1,5h" (as 15 h), bare numbers and negative ones. */
const durationPattern = /^(\d+(\.\d+)?(ms|s|m|h|d))+$/;
const spelling = 'milliseconds as a number, or text such as "250ms", "30s", "10m", "1h30m"';

export interface DurationBounds {
  readonly minMs: number;
  /** `Infinity` also allows `Infinity` itself. */
  readonly maxMs: number;
}

/**
 * Milliseconds of a duration, rounded up to a whole one.
 *
 * @throws LockError `invalid`, naming `field`, when it is neither a number nor a duration text, or out of bounds.
 */
export function toMilliseconds(field: string, value: unknown, bounds: DurationBounds): number {
  const ms = typeof value === "number" ? value : parseText(value);
  if (ms === undefined || Number.isNaN(ms) || ms < bounds.minMs || ms > bounds.maxMs) {
    throw invalid(field, value, `${spelling}, ${describeBounds(bounds)}`);
  }
  return Math.ceil(ms);
}

function parseText(value: unknown): number | undefined {
  if (typeof value !== "string" || value.length > 40 || !durationPattern.test(value)) return undefined;
  return parse(value) ?? undefined;
}

function describeBounds({ minMs, maxMs }: DurationBounds): string {
  if (maxMs === Infinity) return `at least ${formatDuration(minMs)}`;
  return `from ${formatDuration(minMs)} to ${formatDuration(maxMs)}`;
}

const units: readonly (readonly [string, number])[] = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
  ["ms", 1],
];

/** The two largest units that matter: `250ms`, `30s`, `1h30m`. Rounded to a whole millisecond. */
export function formatDuration(ms: number): string {
  if (ms === Infinity) return "for ever";
  let rest = Math.round(Math.abs(ms));
  const parts: string[] = [];
  for (const [unit, size] of units) {
    const count = Math.floor(rest / size);
    if (count > 0) parts.push(`${count}${unit}`);
    rest -= count * size;
    // Beside a whole second, the milliseconds say nothing.
    if (parts.length === 2 || (parts.length === 1 && unit === "s")) break;
  }
  return (ms < 0 ? "-" : "") + (parts.join("") || "0ms");
}
