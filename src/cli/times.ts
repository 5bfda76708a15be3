/** Moments as people read them. */
import { formatDuration } from "../duration.js";

const dayMs = 86_400_000;

/** `14:02:11` in local time; with the date when it is not within a day of `now`. */
export function timeOfDay(at: Date, now: Date): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  if (Math.abs(at.getTime() - now.getTime()) < dayMs) return time;
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${time}`;
}

/** `14:02:11 (3m5s)`. */
export function timeSince(at: Date, now: Date): string {
  return `${timeOfDay(at, now)} (${formatDuration(Math.max(0, now.getTime() - at.getTime()))})`;
}

/** `14:06:11 (in 55s)`. */
export function timeUntil(at: Date, now: Date): string {
  return `${timeOfDay(at, now)} (${timeLeft(at, now)})`;
}

/** `in 55s`, or `3s ago`. */
export function timeLeft(at: Date, now: Date): string {
  const left = at.getTime() - now.getTime();
  return left >= 0 ? `in ${formatDuration(left)}` : `${formatDuration(-left)} ago`;
}
