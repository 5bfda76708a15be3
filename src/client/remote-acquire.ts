/** Acquiring over HTTP such that a broken connection or an abort leaves neither doubt nor a lock that nobody knows of. */
import { randomUUID } from "node:crypto";
import type { Clock } from "../clock/clock.js";
import { toMilliseconds } from "../duration.js";
import { invalid, LockError } from "../errors.js";
import type { AcquireOptions, Lock } from "../lock-manager.js";
import { idempotencyHeader } from "../protocol/headers.js";
import { lockFromJson, locksSchema } from "../protocol/lock.js";
import { releasedSchema } from "../protocol/release.js";
import type { FollowUps } from "./follow-ups.js";
import type { HttpCall } from "./http-connection.js";
import type { ServerCalls } from "./server-calls.js";

/** As in process, where it is the acquisition timeout of the configuration. */
const defaultTimeoutMs = 5_000;
/** The longest that the server waits on one request. */
const longestWaitMs = 24 * 60 * 60_000;

export interface AcquireParts {
  readonly calls: ServerCalls;
  readonly clock: Clock;
  readonly followUps: FollowUps;
}

/** The paths of one acquire: text for one path, a list for all or none of several. */
export type Paths = string | readonly string[];

export async function acquireRemotely(
  parts: AcquireParts,
  paths: Paths,
  agentId: string,
  options: AcquireOptions,
): Promise<readonly Lock[]> {
  const { clock } = parts;
  const timeoutMs = toMilliseconds("timeout", options.timeout ?? defaultTimeoutMs, {
    minMs: 0,
    maxMs: Infinity,
  });
  const deadline = clock.monotonic() + timeoutMs;
  for (;;) {
    const left = Math.max(0, deadline - clock.monotonic());
    const waitMs = Math.min(Math.ceil(left), longestWaitMs);
    try {
      return await acquireOnce(parts, callFor(paths, agentId, { ...options, waitMs }), agentId);
    } catch (error) {
      const again = left > longestWaitMs && error instanceof LockError && error.code === "held";
      if (!again) throw error;
    }
  }
}

async function acquireOnce(
  { calls, followUps }: AcquireParts,
  call: HttpCall,
  agentId: string,
): Promise<readonly Lock[]> {
  const key = randomUUID();
  const keyed = { ...call, headers: { [idempotencyHeader]: key } };
  const neverSent = call.signal?.aborted === true;
  try {
    // The key makes it one acquire, whether or not the server has heard it before.
    const { answer } = await calls.settled(keyed, locksSchema);
    return answer.locks.map(lockFromJson);
  } catch (error) {
    const unsettled =
      error instanceof LockError && (error.code === "aborted" || error.code === "outcome_unknown");
    if (unsettled && !neverSent && !calls.closed)
      followUps.add(calls.once(callOffFor(agentId, key), releasedSchema));
    throw error;
  }
}

function callFor(
  paths: Paths,
  agentId: string,
  options: AcquireOptions & { readonly waitMs: number },
): HttpCall {
  const { ttl, mode, scope, reason, metadata, waitMs } = options;
  const signal = options.signal instanceof AbortSignal ? options.signal : undefined;
  // JSON would make null of what is no number, and the server could not say what it was.
  if (typeof ttl === "number" && !Number.isFinite(ttl)) throw invalid("ttl", ttl, "a finite duration");
  return {
    method: "POST",
    path: "/v1/locks",
    action: `acquire ${describe(paths)}`,
    waitMs,
    signal,
    body: {
      ...(typeof paths === "string" ? { resource_path: paths } : { resource_paths: paths }),
      agent_id: agentId,
      ttl,
      timeout_ms: waitMs,
      mode,
      scope,
      reason,
      metadata,
    },
  };
}

function callOffFor(agentId: string, key: string): HttpCall {
  return {
    method: "POST",
    path: "/v1/locks/release",
    action: "call off an acquire",
    body: { agent_id: agentId, acquired_with: key },
  };
}

function describe(paths: Paths): string {
  const [first = "", more = 0] = typeof paths === "string" ? [paths] : [paths[0], paths.length - 1];
  return `${JSON.stringify(first)}${more > 0 ? ` and ${more} more` : ""}`;
}
