/** What a session refuses, and how it says so. */
import { LockError } from "../../errors.js";
import { problemOf } from "../../protocol/problem.js";

/** Calls of one session that have not been answered, those that wait among them. */
export const mostCalls = 20_000;

export function tooManyCalls(): LockError {
  return new LockError(
    "limit_exceeded",
    `Cannot take another call: ${mostCalls} calls of this session have no answer yet, the most it allows.`,
    { limit: mostCalls, next: ["Wait for answers, or use a second connection."] },
  );
}

/** An error without a known meaning is answered without its text: what it says is for the log. */
export function problemOfAny(error: unknown, now: Date): object {
  if (error instanceof LockError) return problemOf(error, { now });
  const message = "The server failed in a way it was not made for. Whether the call was applied is unknown.";
  return problemOf(new LockError("outcome_unknown", message), { now, status: 500 });
}
