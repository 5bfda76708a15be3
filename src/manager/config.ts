/** The configuration: every field, its default, and what is allowed. Checked once, when the manager is created. */
import { parseResourcePath } from "../core/resource-path.js";
import { toMilliseconds } from "../duration.js";
import { invalid } from "../errors.js";
import type { Duration } from "../lock-manager.js";

export interface LockPolicy {
  /** Ttl of an acquire that names none. Default: the configuration's `defaultTtl`. */
  readonly defaultTtl?: Duration;
  /** The longest ttl that may be asked for. Default: the configuration's `maxTtl`. */
  readonly maxTtl?: Duration;
}

export interface LockManagerConfig {
  /**
   * `enhanced` (default) has everything. `basic` never waits, retries or limits, and has no metrics of its own: acquire, release, extension, default ttl,
   * clean-up and multi-acquire.
   */
  readonly type?: "basic" | "enhanced";
  /** Ttl of an acquire that names none. Default `"1m"`. */
  readonly defaultTtl?: Duration;
  /** A longer ttl is refused. Default `"24h"`. */
  readonly maxTtl?: Duration;
  /** How often expired locks of dead processes are looked for. Default `"1m"`. */
  readonly cleanupInterval?: Duration;
  /** Locks in force that one agent may hold, 1 to 1,000,000. Default 100. */
  readonly maxLocksPerAgent?: number;
  /** Places in queues that one agent may have. Default 1,000. */
  readonly maxWaitersPerAgent?: number;
  /** Places in the queue of one path. Default 10,000. */
  readonly maxWaitersPerResource?: number;
  /** How long an acquire waits that names no timeout. Default `"5s"`; `Infinity` waits for ever. */
  readonly acquisitionTimeout?: Duration;
  /** How often a store operation that failed is tried again, 0 to 100. Default 3. */
  readonly maxRetries?: number;
  /** Pause before the first retry. Default `"100ms"`. */
  readonly retryDelay?: Duration;
  /** Each pause is this many times the one before, 1 to 10. Default 1.5. */
  readonly retryBackoff?: number;
  /** Each pause is up to this much shorter or longer. Default `"20ms"`. */
  readonly retryJitter?: Duration;
  /** Ttls by resource type (the first segment of a path). */
  readonly policies?: Readonly<Record<string, LockPolicy>>;
}

/** The configuration with its defaults, durations in milliseconds. */
export interface Config {
  readonly waits: boolean;
  readonly hasMetrics: boolean;
  readonly defaultTtlMs: number;
  readonly maxTtlMs: number;
  readonly cleanupIntervalMs: number;
  readonly maxLocksPerAgent: number;
  readonly maxWaitersPerAgent: number;
  readonly maxWaitersPerResource: number;
  readonly acquisitionTimeoutMs: number;
  readonly maxRetries: number;
  readonly retryDelayMs: number;
  readonly retryBackoff: number;
  readonly retryJitterMs: number;
  readonly policies: ReadonlyMap<string, { readonly defaultTtlMs: number; readonly maxTtlMs: number }>;
}

/** The shortest ttl: below it a lock could expire on its way. */
export const shortestTtlMs = 10;
/** The longest duration anywhere: what a ttl may at most be raised to. */
export const longestMs = 366 * 24 * 3_600_000;

const fields = new Set([
  "type",
  "defaultTtl",
  "maxTtl",
  "cleanupInterval",
  "maxLocksPerAgent",
  "maxWaitersPerAgent",
  "maxWaitersPerResource",
  "acquisitionTimeout",
  "maxRetries",
  "retryDelay",
  "retryBackoff",
  "retryJitter",
  "policies",
]);

/** @throws LockError `invalid`, naming the field, the value and what is allowed. */
export function readConfig(given: LockManagerConfig): Config {
  if (typeof given !== "object" || given === null) throw invalid("config", given, "an object");
  for (const field of Object.keys(given)) {
    if (!fields.has(field)) throw invalid("config", field, `only the fields ${[...fields].join(", ")}`);
  }
  // Defaults are for what is not there: `null`, which NaN becomes in JSON, is a mistake.
  const {
    type = "enhanced",
    maxTtl = "24h",
    defaultTtl,
    cleanupInterval = "1m",
    maxLocksPerAgent = 100,
    maxWaitersPerAgent = 1_000,
    maxWaitersPerResource = 10_000,
    acquisitionTimeout = "5s",
    maxRetries = 3,
    retryDelay = "100ms",
    retryBackoff = 1.5,
    retryJitter = "20ms",
    policies = {},
  } = given;
  if (type !== "basic" && type !== "enhanced") throw invalid("type", type, '"basic" or "enhanced"');
  const enhanced = type === "enhanced";

  const maxTtlMs = toMilliseconds("maxTtl", maxTtl, { minMs: shortestTtlMs, maxMs: longestMs });
  // A default that fits no maximum would make every acquire without a ttl fail.
  const defaultTtlMs = toMilliseconds(
    "defaultTtl",
    defaultTtl === undefined ? Math.min(60_000, maxTtlMs) : defaultTtl,
    { minMs: shortestTtlMs, maxMs: maxTtlMs },
  );
  const limit = count("maxLocksPerAgent", maxLocksPerAgent, 1, 1_000_000);
  const patience = toMilliseconds("acquisitionTimeout", acquisitionTimeout, { minMs: 0, maxMs: Infinity });
  const retries = count("maxRetries", maxRetries, 0, 100);
  const pause = (field: string, value: Duration): number =>
    toMilliseconds(field, value, { minMs: 0, maxMs: 600_000 });

  return {
    waits: enhanced,
    hasMetrics: enhanced,
    defaultTtlMs,
    maxTtlMs,
    cleanupIntervalMs: toMilliseconds("cleanupInterval", cleanupInterval, { minMs: 10, maxMs: longestMs }),
    maxLocksPerAgent: enhanced ? limit : Infinity,
    maxWaitersPerAgent: count("maxWaitersPerAgent", maxWaitersPerAgent, 1, 1_000_000),
    maxWaitersPerResource: count("maxWaitersPerResource", maxWaitersPerResource, 1, 1_000_000),
    acquisitionTimeoutMs: enhanced ? patience : 0,
    maxRetries: enhanced ? retries : 0,
    retryDelayMs: pause("retryDelay", retryDelay),
    retryBackoff: factor("retryBackoff", retryBackoff),
    retryJitterMs: pause("retryJitter", retryJitter),
    policies: readPolicies(policies, defaultTtlMs, maxTtlMs),
  };
}

function count(field: string, value: unknown, least: number, most: number): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > most) {
    throw invalid(field, value, `a whole number from ${least} to ${most}`);
  }
  return value;
}

function factor(field: string, value: unknown): number {
  if (typeof value !== "number" || !(value >= 1 && value <= 10))
    throw invalid(field, value, "a number from 1 to 10");
  return value;
}

function readPolicies(
  given: Readonly<Record<string, LockPolicy>>,
  defaultTtlMs: number,
  maxTtlMs: number,
): Config["policies"] {
  if (typeof given !== "object" || given === null)
    throw invalid("policies", given, "an object by resource type");
  const policies = new Map<string, { defaultTtlMs: number; maxTtlMs: number }>();
  for (const [type, policy] of Object.entries(given)) {
    const field = `policies.${type}`;
    const parsed = parseResourcePath(type);
    if (!parsed.ok || parsed.resource.type !== type.normalize("NFC")) {
      throw invalid("policies", type, "resource types: the first segment of a path, without slashes");
    }
    if (typeof policy !== "object" || policy === null) throw invalid(field, policy, "an object");
    for (const name of Object.keys(policy)) {
      if (name !== "defaultTtl" && name !== "maxTtl")
        throw invalid(field, name, "only defaultTtl and maxTtl");
    }
    const { maxTtl = maxTtlMs, defaultTtl } = policy;
    const max = toMilliseconds(`${field}.maxTtl`, maxTtl, { minMs: shortestTtlMs, maxMs: longestMs });
    policies.set(parsed.resource.type, {
      maxTtlMs: max,
      defaultTtlMs: toMilliseconds(
        `${field}.defaultTtl`,
        defaultTtl === undefined ? Math.min(defaultTtlMs, max) : defaultTtl,
        { minMs: shortestTtlMs, maxMs: max },
      ),
    });
  }
  return policies;
}
