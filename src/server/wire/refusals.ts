/** What a session refuses, and how it says so. */
import { LockError } from "../../errors.js";
import { problemOf } from "../../protocol/problem.js";
import { refusalOf } from "../refusal-answer.js";

/** Calls of one session that have not been answered, those that wait among them. */
export const mostCalls = 20_000;

export function tooManyCalls(): LockError {
  return new LockError(
    "limit_exceeded",
    `Cannot take another call: ${mostCalls} calls of this session have no answer yet, the most it allows.`,
    { limit: mostCalls, next: ["Wait for answers, or use a second connection."] },
  );
}

/** Whatever was thrown, as a problem. */
export function problemOfAny(error: unknown, now: Date): object {
  const [refusal, { status }] = refusalOf(error);
  return problemOf(refusal, { now, ...(status !== undefined && { status }) });
}
