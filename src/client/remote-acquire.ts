/** Acquiring from a server such that neither a broken connection nor an abort leaves a lock that nobody knows of. */
import { toMilliseconds } from "../duration.js";
import { invalid } from "../errors.js";
import type { AcquireOptions, Lock } from "../lock-manager.js";
import { lockFromJson, locksSchema } from "../protocol/lock.js";
import { forEver } from "../protocol/wire.js";
import type { Calls } from "./calls.js";
import type { Call } from "./pending.js";

/** As in process, where it is the acquisition timeout of the configuration. */
const defaultTimeoutMs = 5_000;

export interface AcquireParts {
  readonly calls: Calls;
  /** Gives back what was granted after its caller had gone. */
  readonly giveBack: (lock: Lock) => void;
}

/** The paths of one acquire: text for one path, a list for all or none of several. */
export type Paths = string | readonly string[];

export async function acquireRemotely(
  parts: AcquireParts,
  paths: Paths,
  agentId: string,
  options: AcquireOptions,
): Promise<readonly Lock[]> {
  const timeoutMs = toMilliseconds("timeout", options.timeout ?? defaultTimeoutMs, {
    minMs: 0,
    maxMs: Infinity,
  });
  const { answer } = await parts.calls.make(
    callFor(paths, agentId, options, timeoutMs),
    locksSchema,
    (late) => {
      for (const lock of late.locks) parts.giveBack(lockFromJson(lock));
    },
  );
  return answer.locks.map(lockFromJson);
}

function callFor(paths: Paths, agentId: string, options: AcquireOptions, waitMs: number): Call {
  const { ttl, mode, scope, reason, metadata, signal } = options;
  // JSON would make null of what is no number, and the server could not say what it was.
  if (typeof ttl === "number" && !Number.isFinite(ttl)) throw invalid("ttl", ttl, "a finite duration");
  const isOne = typeof paths === "string";
  const name = nameOf(paths);
  return {
    op: isOne ? "acquire" : "acquire_multiple",
    action: `acquire ${name}`,
    kind: "change",
    waitMs,
    acquire: { name, path: (isOne ? paths : paths[0]) ?? "", agentId },
    signal,
    fields: {
      ...(isOne ? { resource_path: paths } : { resource_paths: paths }),
      agent_id: agentId,
      ttl,
      timeout: waitMs === Infinity ? forEver : waitMs,
      mode,
      scope,
      reason,
      metadata,
    },
  };
}

function nameOf(paths: Paths): string {
  const [first = "", more = 0] = typeof paths === "string" ? [paths] : [paths[0], paths.length - 1];
  return `${JSON.stringify(first)}${more > 0 ? ` and ${more} more` : ""}`;
}
