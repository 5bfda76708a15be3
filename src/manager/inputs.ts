/** What callers hand in, checked in one place before anything else sees it. Bad input is an `invalid` error, and nothing was changed. */
import { parseResourcePath, type ResourcePath, utf8Length } from "../core/resource-path.js";
import { toMilliseconds } from "../duration.js";
import { invalid } from "../errors.js";
import type {
  AcquireOptions,
  CallOptions,
  CallSignal,
  Duration,
  EventFilter,
  ListFilter,
  LockEventType,
  Mode,
  Scope,
} from "../lock-manager.js";
import { type Config, longestMs, shortestTtlMs } from "./config.js";
import { type ListPosition, parseCursor } from "./list-cursor.js";
import { RecentMap } from "./recent-map.js";

const mostPathsPerAcquire = 50;
const longestReason = 200;
const mostMetadataBytes = 1024;
const mostPerPage = 1_000;
const longestId = 256;
/** Paths remembered in their parsed form. */
const pathCapacity = 10_000;

// oxlint-disable-next-line no-control-regex -- refusing control characters is the purpose
const controlCharacters = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]|\p{Surrogate}/u;

const acquireFields = new Set([
  "ttl",
  "timeout",
  "mode",
  "scope",
  "reason",
  "metadata",
  "autoExtend",
  "signal",
]);

const eventTypes: Readonly<Record<LockEventType, true>> = {
  acquired: true,
  extended: true,
  released: true,
  expired: true,
  revoked: true,
  lost: true,
  contended: true,
  queued: true,
  dequeued: true,
  refused: true,
  failed: true,
  reset: true,
};

/** What a list shows, checked. */
export interface ListTerms {
  readonly prefix: string;
  readonly agentId: string | undefined;
  readonly resourceType: string | undefined;
  readonly mode: Mode | undefined;
  readonly expiringWithinMs: number | undefined;
  readonly limit: number;
  /** Where the page before ended. */
  readonly after: ListPosition | undefined;
}

/** The terms of an acquire, with every default filled in. */
export interface AcquireInput {
  readonly agentId: string;
  readonly resources: readonly ResourcePath[];
  readonly ttlMs: readonly number[];
  readonly timeoutMs: number;
  readonly mode: Mode;
  readonly scope: Scope;
  readonly reason: string | undefined;
  readonly metadata: Readonly<Record<string, string>> | undefined;
  readonly autoExtend: boolean;
  readonly signal: CallSignal | undefined;
}

export class Inputs {
  readonly #config: Config;
  readonly #paths = new RecentMap<ResourcePath>(pathCapacity);
  /** One child of each parent: brothers share what is above them. */
  readonly #children = new RecentMap<ResourcePath>(pathCapacity);

  constructor(config: Config) {
    this.#config = config;
  }

  path(value: unknown, field = "resourcePath"): ResourcePath {
    if (typeof value !== "string") throw invalid(field, value, "a string");
    return this.#paths.get(value) ?? this.#parse(value, field);
  }

  #parse(value: string, field: string): ResourcePath {
    const parsed = parseResourcePath(value);
    if (!parsed.ok) throw invalid(field, value, parsed.allowed);
    const { path, type, ancestors } = parsed.resource;
    const parent = ancestors[0] ?? "";
    const brother = this.#children.get(parent);
    const isTop = ancestors.length < 2;
    const resource =
      brother === undefined
        ? parsed.resource
        : { path, type: isTop ? type : brother.type, ancestors: brother.ancestors };
    this.#paths.set(value, resource);
    this.#paths.trim();
    if (brother === undefined) this.#children.set(parent, resource);
    this.#children.trim();
    return resource;
  }

  /** Normalised, duplicates once. */
  paths(values: unknown, most = mostPathsPerAcquire): ResourcePath[] {
    if (!Array.isArray(values)) throw invalid("resourcePaths", values, "an array of paths");
    if (values.length > most) throw invalid("resourcePaths", values.length, `at most ${most} paths`);
    const resources = new Map<string, ResourcePath>();
    for (const [index, value] of values.entries()) {
      const resource = this.path(value, `resourcePaths[${index}]`);
      resources.set(resource.path, resource);
    }
    return [...resources.values()];
  }

  agent(value: unknown, field = "agentId"): string {
    return id(field, value);
  }

  lockId(value: unknown): string {
    return id("lockId", value);
  }

  ttl(value: Duration | undefined, resource: ResourcePath): number | undefined {
    if (value === undefined) return undefined;
    return toMilliseconds("ttl", value, { minMs: shortestTtlMs, maxMs: this.#maxTtl(resource) });
  }

  acquire(resources: readonly ResourcePath[], agentId: unknown, options: AcquireOptions): AcquireInput {
    requireObject("options", options);
    for (const field in options) {
      if (!acquireFields.has(field)) {
        throw invalid("options", field, `only the fields ${[...acquireFields].join(", ")}`);
      }
    }
    const { mode = "exclusive", scope = "resource", autoExtend = false } = options;
    if (mode !== "exclusive" && mode !== "shared") throw invalid("mode", mode, '"exclusive" or "shared"');
    if (scope !== "resource" && scope !== "tree") throw invalid("scope", scope, '"resource" or "tree"');
    if (typeof autoExtend !== "boolean") throw invalid("autoExtend", autoExtend, "true or false");
    return {
      agentId: this.agent(agentId),
      resources,
      ttlMs: resources.map((resource) => this.ttl(options.ttl, resource) ?? this.#defaultTtl(resource)),
      timeoutMs: this.#timeout(options.timeout),
      mode,
      scope,
      reason: options.reason === undefined ? undefined : reason(options.reason),
      metadata: options.metadata === undefined ? undefined : metadata(options.metadata),
      autoExtend,
      signal: callSignal(options.signal),
    };
  }

  list(filter: ListFilter): ListTerms {
    requireObject("filter", filter);
    const { agentId, resourceType, mode, expiringWithin, limit = mostPerPage, cursor } = filter;
    if (mode !== undefined && mode !== "exclusive" && mode !== "shared") {
      throw invalid("mode", mode, '"exclusive" or "shared"');
    }
    if (!Number.isInteger(limit) || limit < 1 || limit > mostPerPage) {
      throw invalid("limit", limit, `a whole number from 1 to ${mostPerPage}`);
    }
    const prefix = this.path(filter.prefix === undefined ? "/" : filter.prefix, "prefix").path;
    return {
      prefix,
      agentId: agentId === undefined ? undefined : this.agent(agentId),
      resourceType: resourceType === undefined ? undefined : this.#type(resourceType),
      mode,
      expiringWithinMs:
        expiringWithin === undefined
          ? undefined
          : toMilliseconds("expiringWithin", expiringWithin, { minMs: 0, maxMs: longestMs }),
      limit,
      after: cursor === undefined ? undefined : parseCursor(cursor, prefix),
    };
  }

  /** @returns the normal spelling of the prefix. */
  events(filter: EventFilter): string | undefined {
    requireObject("filter", filter);
    const { types, prefix, since } = filter;
    if (since !== undefined) throw invalid("since", since, "none: only a server remembers events");
    signalOf(filter.signal);
    if (types !== undefined && !Array.isArray(types))
      throw invalid("types", types, "an array of event types");
    const asked: readonly string[] = types ?? [];
    for (const type of asked) {
      if (!Object.hasOwn(eventTypes, type)) {
        throw invalid("types", type, `only ${Object.keys(eventTypes).join(", ")}`);
      }
    }
    return prefix === undefined ? undefined : this.path(prefix, "prefix").path;
  }

  #type(value: unknown): string {
    const { type, ancestors } = this.path(value, "resourceType");
    if (ancestors.length > 1) throw invalid("resourceType", value, "the first segment of a path");
    return type;
  }

  #timeout(value: Duration | undefined): number {
    if (value === undefined) return this.#config.acquisitionTimeoutMs;
    if (!this.#config.waits && value !== 0) {
      throw invalid("timeout", value, "0 or none: the basic lock manager never waits");
    }
    return toMilliseconds("timeout", value, { minMs: 0, maxMs: Infinity });
  }

  #defaultTtl(resource: ResourcePath): number {
    return this.#config.policies.get(resource.type)?.defaultTtlMs ?? this.#config.defaultTtlMs;
  }

  #maxTtl(resource: ResourcePath): number {
    return this.#config.policies.get(resource.type)?.maxTtlMs ?? this.#config.maxTtlMs;
  }
}

export function requireObject(field: string, value: unknown): void {
  if (typeof value !== "object" || value === null) throw invalid(field, value, "an object");
}

/** The signal among the options of a call. */
export function signalIn(options: CallOptions): AbortSignal | undefined {
  requireObject("options", options);
  return signalOf(options.signal);
}

function signalOf(value: unknown): AbortSignal | undefined {
  if (value === undefined || value instanceof AbortSignal) return value;
  throw invalid("signal", typeof value, "an AbortSignal");
}

function callSignal(value: unknown): CallSignal | undefined {
  return isCallSignal(value) ? value : signalOf(value);
}

function isCallSignal(value: unknown): value is CallSignal {
  return (
    typeof value === "object" &&
    value !== null &&
    "aborted" in value &&
    typeof value.aborted === "boolean" &&
    "addEventListener" in value &&
    typeof value.addEventListener === "function"
  );
}

export function reason(value: unknown, field = "reason"): string {
  if (typeof value !== "string" || value.length > longestReason || controlCharacters.test(value)) {
    throw invalid(field, value, `at most ${longestReason} characters without control characters`);
  }
  return value;
}

function id(field: string, value: unknown): string {
  if (typeof value !== "string" || value === "" || value.length > longestId) {
    throw invalid(field, value, `a string of 1 to ${longestId} bytes`);
  }
  if (controlCharacters.test(value)) {
    throw invalid(field, value, "well-formed Unicode without control characters");
  }
  if (value.length * 3 > longestId && utf8Length(value) > longestId) {
    throw invalid(field, value, `a string of 1 to ${longestId} bytes`);
  }
  return value;
}

function metadata(value: unknown): Readonly<Record<string, string>> {
  const allowed = `strings by name, at most ${mostMetadataBytes} bytes together`;
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw invalid("metadata", value, allowed);
  const entries: [string, string][] = [];
  let bytes = 0;
  for (const [name, text] of Object.entries(value)) {
    if (typeof text !== "string" || /\p{Surrogate}/u.test(name + text))
      throw invalid(`metadata.${name}`, text, "a string");
    bytes += utf8Length(name) + utf8Length(text);
    entries.push([name, text]);
  }
  if (bytes > mostMetadataBytes) throw invalid("metadata", `${bytes} bytes`, allowed);
  // Copied, so that later changes by the caller change no lock; `fromEntries` defines even `__proto__` as a plain member.
  return Object.fromEntries(entries);
}
