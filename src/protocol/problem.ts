/** Refusals on the wire: problem details (RFC 9457) that carry every fact of a `LockError`. */
import { z } from "zod";
import { type ErrorCode, type ErrorFacts, LockError } from "../errors.js";
import { conflictFromJson, conflictSchema, conflictToJson } from "./conflict.js";
import {
  agentIdField,
  countField,
  lockIdField,
  millisecondsUntil,
  resourcePathField,
  timeField,
} from "./fields.js";
import { wordsOf } from "./words.js";

export const problemContentType = "application/problem+json";

const codes = {
  held: "held",
  limit_exceeded: "limit_exceeded",
  deadlock: "deadlock",
  aborted: "aborted",
  lost: "lost",
  not_holder: "not_holder",
  invalid: "invalid",
  closed: "closed",
  store_unavailable: "store_unavailable",
  outcome_unknown: "outcome_unknown",
} as const satisfies { readonly [Code in ErrorCode]: Code };

export const problemSchema = z
  .object({
    type: z.string().meta({ description: "`urn:engram-lock:problem:` and the code.", format: "uri" }),
    title: z.string(),
    status: z.int(),
    code: z.enum(codes).meta({ description: "What to branch on." }),
    detail: z.string().meta({ description: "What, who, why and until when, in whole sentences." }),
    retryable: z.boolean().meta({ description: "True when the same call may succeed later, unchanged." }),
    next: z.array(z.string()).meta({ description: "What the caller can do next, each a sentence." }),
    conflicts: z.array(conflictSchema).meta({ description: "Who is in the way, first the one to wait for." }),
    request_id: z.string().optional(),
    resource_path: resourcePathField.optional(),
    agent_id: agentIdField.optional(),
    lock_id: lockIdField.optional(),
    field: z.string().optional().meta({ description: "`invalid`: which field." }),
    value: z
      .string()
      .optional()
      .meta({ description: "`invalid`: what was given, at most 256 characters of it." }),
    allowed: z.string().optional().meta({ description: "`invalid`: what is allowed." }),
    queue_length: countField.optional().meta({ description: "`held`: how many wait on the path." }),
    waited_ms: countField.optional().meta({ description: "How long the call waited." }),
    limit: countField.optional().meta({ description: "`limit_exceeded`: the limit." }),
    oldest_locks: z
      .array(
        z.object({
          resource_path: resourcePathField,
          lock_id: lockIdField,
          expires_at: timeField,
          expires_in_ms: z.int(),
        }),
      )
      .optional()
      .meta({ description: "`limit_exceeded`: the oldest locks of the agent." }),
    cycle: z
      .array(z.object({ agent_id: agentIdField, waits_for: resourcePathField, blocked_by: agentIdField }))
      .optional()
      .meta({ description: "`deadlock`: who waits for what, starting with the refused claim." }),
  })
  .meta({
    id: "Problem",
    description: "A refusal: what, who, why, until when, and what to do next (RFC 9457).",
  });

export type ProblemJson = z.output<typeof problemSchema>;

export interface ProblemContext {
  /** Store time. */
  readonly now: Date;
  readonly requestId?: string;
  /** Default: what the catalogue says. */
  readonly status?: number;
  readonly retryable?: boolean;
}

export function problemOf(error: LockError, context: ProblemContext): ProblemJson {
  const { facts } = error;
  const words = wordsOf[error.code];
  return {
    type: `urn:engram-lock:problem:${error.code}`,
    title: words.title,
    status: context.status ?? error.httpStatus,
    code: error.code,
    detail: detailOf(error),
    retryable: context.retryable ?? error.retryable,
    next: [...(facts.next ?? words.next)],
    conflicts: (facts.conflicts ?? []).map((conflict) => conflictToJson(conflict, context.now)),
    ...(context.requestId !== undefined && { request_id: context.requestId }),
    ...plainFacts(facts),
    ...(facts.oldestLocks !== undefined && {
      oldest_locks: facts.oldestLocks.map(({ resourcePath, lockId, expiresAt }) => ({
        resource_path: resourcePath,
        lock_id: lockId,
        expires_at: expiresAt.toISOString(),
        expires_in_ms: millisecondsUntil(expiresAt, context.now),
      })),
    }),
    ...(facts.cycle !== undefined && {
      cycle: facts.cycle.map(({ agentId, waitsFor, blockedBy }) => ({
        agent_id: agentId,
        waits_for: waitsFor,
        blocked_by: blockedBy,
      })),
    }),
  };
}

/** An `invalid` error of the lock manager names the field as TypeScript has it; here it is the JSON name. */
function detailOf({ code, message, facts: { field, value, allowed } }: LockError): string {
  if (code !== "invalid" || field === undefined || value === undefined || allowed === undefined)
    return message;
  return `Invalid ${wireName(field)} ${value}: expected ${allowed}.`;
}

/** `resourcePaths[3]` is `resource_paths[3]`. Names of metadata are the caller's own, and headers have theirs. */
function wireName(field: string): string {
  if (/^(metadata\.|[A-Z])/.test(field)) return field;
  return field.replace(/[a-z][A-Z]/g, (pair) => `${pair[0]}_${pair[1]?.toLowerCase()}`);
}

function plainFacts(facts: ErrorFacts): Partial<ProblemJson> {
  return {
    ...(facts.resourcePath !== undefined && { resource_path: facts.resourcePath }),
    ...(facts.agentId !== undefined && { agent_id: facts.agentId }),
    ...(facts.lockId !== undefined && { lock_id: facts.lockId }),
    ...(facts.field !== undefined && { field: wireName(facts.field) }),
    ...(facts.value !== undefined && { value: facts.value }),
    ...(facts.allowed !== undefined && { allowed: facts.allowed }),
    ...(facts.queueLength !== undefined && { queue_length: facts.queueLength }),
    ...(facts.waitedMs !== undefined && { waited_ms: Math.round(facts.waitedMs) }),
    ...(facts.limit !== undefined && { limit: facts.limit }),
  };
}

/** The error that the problem was made of. */
export function lockErrorOf(problem: ProblemJson): LockError {
  return new LockError(problem.code, problem.detail, {
    ...(problem.resource_path !== undefined && { resourcePath: problem.resource_path }),
    ...(problem.agent_id !== undefined && { agentId: problem.agent_id }),
    ...(problem.lock_id !== undefined && { lockId: problem.lock_id }),
    ...(problem.field !== undefined && { field: problem.field }),
    ...(problem.value !== undefined && { value: problem.value }),
    ...(problem.allowed !== undefined && { allowed: problem.allowed }),
    ...(problem.conflicts.length > 0 && { conflicts: problem.conflicts.map(conflictFromJson) }),
    ...(problem.queue_length !== undefined && { queueLength: problem.queue_length }),
    ...(problem.waited_ms !== undefined && { waitedMs: problem.waited_ms }),
    ...(problem.limit !== undefined && { limit: problem.limit }),
    ...(problem.oldest_locks !== undefined && {
      oldestLocks: problem.oldest_locks.map((lock) => ({
        resourcePath: lock.resource_path,
        lockId: lock.lock_id,
        expiresAt: new Date(lock.expires_at),
      })),
    }),
    ...(problem.cycle !== undefined && {
      cycle: problem.cycle.map((edge) => ({
        agentId: edge.agent_id,
        waitsFor: edge.waits_for,
        blockedBy: edge.blocked_by,
      })),
    }),
    // The words that every refusal of this code has are no fact of this one: each face has its own.
    ...(!isUsualAdvice(problem) && { next: problem.next }),
  });
}

function isUsualAdvice({ code, next }: ProblemJson): boolean {
  const usual = wordsOf[code].next;
  return next.length === usual.length && next.every((step, index) => step === usual[index]);
}
