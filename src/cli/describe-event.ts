/** Events in words, each on one line. */
import { formatDuration } from "../duration.js";
import type { LockEvent } from "../lock-manager.js";
import { showPath } from "./describe-lock.js";
import { printable } from "./printable.js";
import { timeOfDay, timeUntil } from "./times.js";

const shownWaitMs = 100;

/** `14:02:11 acquired  /deploy/prod, exclusive: ci-42 for "release 1.8.0", token 118, expires 14:06:11 (in 4m)`. */
export function describeEvent(event: LockEvent, now: Date): string {
  const when = `${timeOfDay(event.at, now)} ${event.type.padEnd(9)}`;
  if (event.type === "reset")
    return `${when} events are missing here; \`engram-lock ls\` shows the state they led to`;
  const cause = event.cause === undefined ? "" : ` (${printable(event.cause)})`;
  return `${when} ${[whatAndWho(event), ...details(event, now)].join(", ")}${cause}`;
}

function whatAndWho({ resourcePath, scope, mode, agentId, reason }: LockEvent): string {
  const below = scope === "tree" ? " and all below" : "";
  const how = mode === undefined ? "" : `, ${mode}`;
  const who = agentId === undefined ? "" : `: ${printable(agentId)}`;
  const why = reason === undefined ? "" : ` for "${printable(reason)}"`;
  return `${showPath(resourcePath)}${below}${how}${who}${why}`;
}

/** What is new by this event. */
function details(
  { type, call, by, fencingToken, waitedMs, heldMs, expiresAt }: LockEvent,
  now: Date,
): string[] {
  const isGranted = type === "acquired" || type === "extended";
  return [
    ...(call === undefined ? [] : [call]),
    ...(by === undefined ? [] : [`by ${printable(by)}`]),
    ...(waitedMs === undefined || waitedMs < shownWaitMs ? [] : [`waited ${formatDuration(waitedMs)}`]),
    ...(heldMs === undefined ? [] : [`held for ${formatDuration(heldMs)}`]),
    ...(type === "acquired" ? [`token ${fencingToken}`] : []),
    ...(isGranted && expiresAt !== undefined ? [`expires ${timeUntil(expiresAt, now)}`] : []),
  ];
}
