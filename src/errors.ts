/** The catalogue of everything that can go wrong, and the one error class. The only place where a code is born. */

/** What the caller should do about it: try later, stop now, fix the call, or find out what happened. */
export type ErrorFamily = "refused" | "lost" | "misused" | "failed";

interface CatalogueRow {
  readonly family: ErrorFamily;
  /** HTTP status of the answer. */
  readonly httpStatus: number;
  /** Exit code of the command line (BSD `sysexits.h` where one fits). */
  readonly exitCode: number;
  /** True when the same call may succeed later without being changed. */
  readonly retryable: boolean;
}

/** Every code with its family, HTTP status and exit code. `docs/errors.md` says the same in words; a test compares them. */
export const errorCatalogue = {
  held: { family: "refused", httpStatus: 409, exitCode: 75, retryable: true },
  limit_exceeded: { family: "refused", httpStatus: 409, exitCode: 75, retryable: true },
  deadlock: { family: "refused", httpStatus: 409, exitCode: 75, retryable: true },
  aborted: { family: "refused", httpStatus: 499, exitCode: 130, retryable: true },
  lost: { family: "lost", httpStatus: 410, exitCode: 76, retryable: false },
  not_holder: { family: "misused", httpStatus: 403, exitCode: 77, retryable: false },
  invalid: { family: "misused", httpStatus: 400, exitCode: 64, retryable: false },
  closed: { family: "misused", httpStatus: 503, exitCode: 69, retryable: false },
  store_unavailable: { family: "failed", httpStatus: 503, exitCode: 69, retryable: true },
  outcome_unknown: { family: "failed", httpStatus: 503, exitCode: 69, retryable: true },
} as const satisfies Record<string, CatalogueRow>;

export type ErrorCode = keyof typeof errorCatalogue;

/** Somebody whose lock or place in the queue stands in the way. */
export interface Conflict {
  /** Where the conflicting claim stands; a tree above or something below may block a path. */
  readonly resourcePath: string;
  readonly agentId: string;
  readonly mode: "exclusive" | "shared";
  readonly scope: "resource" | "tree";
  /** A holder has the lock; a waiter is ahead in the queue. */
  readonly standing: "holder" | "waiter";
  readonly reason?: string;
  /** When a holder acquired, or a waiter began to wait. */
  readonly since?: Date;
  /** When the holder's lock expires unless it is extended. */
  readonly expiresAt?: Date;
}

/** One step of a deadlock: this agent waits for that path, which the next agent of the cycle has or is ahead for. */
export interface CycleEdge {
  readonly agentId: string;
  readonly waitsFor: string;
  readonly blockedBy: string;
}

/** The facts a refusal carries beside its message. All optional: which are there depends on the code. */
export interface ErrorFacts {
  /** What the call was about. */
  readonly resourcePath?: string;
  readonly agentId?: string;
  readonly lockId?: string;
  /** `invalid`: the field, what was given (shortened to 256 characters) and what is allowed. */
  readonly field?: string;
  readonly value?: string;
  readonly allowed?: string;
  /** `held`: who is in the way, first the one to wait for. */
  readonly conflicts?: readonly Conflict[];
  /** `held`: how many claims already wait on the path. */
  readonly queueLength?: number;
  /** `held`, `aborted`: how long the call waited, in milliseconds. */
  readonly waitedMs?: number;
  /** `limit_exceeded`: the limit, and the paths of the agent's oldest locks. */
  readonly limit?: number;
  readonly oldestLocks?: readonly {
    readonly resourcePath: string;
    readonly lockId: string;
    readonly expiresAt: Date;
  }[];
  /** `deadlock`: the cycle, starting with the refused claim. */
  readonly cycle?: readonly CycleEdge[];
  /** What the caller can do next, each a sentence. */
  readonly next?: readonly string[];
}

/**
 * The error of every failed call. Branch on `code`, or on `family`; never on the message.
 *
 * `message` is a whole sentence: the action, the value in quotes, the state found.
 */
export class LockError extends Error {
  override readonly name = "LockError";
  readonly code: ErrorCode;
  readonly facts: ErrorFacts;

  constructor(code: ErrorCode, message: string, facts: ErrorFacts = {}, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.facts = facts;
  }

  get family(): ErrorFamily {
    return errorCatalogue[this.code].family;
  }

  get httpStatus(): number {
    return errorCatalogue[this.code].httpStatus;
  }

  get exitCode(): number {
    return errorCatalogue[this.code].exitCode;
  }

  get retryable(): boolean {
    return errorCatalogue[this.code].retryable;
  }
}

/** What a holder does that has lost its lock. */
export const afterLoss: readonly string[] = [
  "Stop working on the resource.",
  "Acquire again, and check what was done meanwhile.",
];

const shownValueLength = 256;

/** An `invalid` error: names the field, shows the value (shortened) and says what is allowed. */
export function invalid(field: string, value: unknown, allowed: string): LockError {
  const shown = shorten(show(value));
  const found = value === undefined ? `Missing ${field}` : `Invalid ${field} ${shown}`;
  return new LockError("invalid", `${found}: expected ${allowed}.`, {
    field,
    value: shown,
    allowed,
  });
}

function show(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "string" || (typeof value === "object" && value !== null)) {
    try {
      // Serialised, so that control characters arrive escaped in terminals and logs.
      return JSON.stringify(value) ?? typeof value;
    } catch {
      return `a value of type ${typeof value}`;
    }
  }
  return String(value);
}

function shorten(text: string): string {
  return text.length <= shownValueLength
    ? text
    : `${text.slice(0, shownValueLength)}… (${text.length} characters)`;
}
