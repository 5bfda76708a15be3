/** What an acquire says to the server. */
import { toMilliseconds } from "../duration.js";
import { invalid } from "../errors.js";
import type { AcquireOptions } from "../lock-manager.js";
import { forEver } from "../protocol/wire.js";
import type { Call } from "./pending.js";

/** As in process, where it is the acquisition timeout of the configuration. */
const defaultTimeoutMs = 5_000;
const anyWait = { minMs: 0, maxMs: Infinity };

/** The paths of one acquire: text for one path, a list for all or none of several. */
export type Paths = string | readonly string[];

/** @throws LockError `invalid` for what cannot be said to the server. */
export function acquireCall(paths: Paths, agentId: string, options: AcquireOptions): Call {
  const { ttl, mode, scope, reason, metadata, signal } = options;
  const waitMs = toMilliseconds("timeout", options.timeout ?? defaultTimeoutMs, anyWait);
  // JSON would make null of what is no number, and the server could not say what it was.
  if (typeof ttl === "number" && !Number.isFinite(ttl)) throw invalid("ttl", ttl, "a finite duration");
  const timeout = waitMs === Infinity ? forEver : waitMs;
  const fields = { agent_id: agentId, ttl, timeout, mode, scope, reason, metadata };
  const kind = "change";
  return typeof paths === "string"
    ? { op: "acquire", kind, waitMs, signal, fields: { resource_path: paths, ...fields } }
    : { op: "acquire_multiple", kind, waitMs, signal, fields: { resource_paths: paths, ...fields } };
}
