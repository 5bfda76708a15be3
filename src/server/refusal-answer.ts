/** Whatever was thrown, as an answer. */
import { LockError } from "../errors.js";
import { problemContentType, problemOf } from "../protocol/problem.js";
import { jsonAnswer, type WholeAnswer } from "./answer.js";
import { HttpRefusal, type HttpTerms } from "./http-refusal.js";

/** For statuses of which nothing better is known. */
const soonSeconds = 1;

export function refusalAnswer(
  error: unknown,
  context: { readonly now: Date; readonly requestId: string },
): WholeAnswer {
  const [refusal, terms] = refusalOf(error);
  const problem = problemOf(refusal, {
    ...context,
    ...(terms.status !== undefined && { status: terms.status }),
    ...(terms.retryable !== undefined && { retryable: terms.retryable }),
  });
  return jsonAnswer(problem.status, problem, {
    "content-type": problemContentType,
    ...retryAfter(refusal, context.now),
    ...terms.headers,
  });
}

export function isExpected(error: unknown): error is LockError | HttpRefusal {
  return error instanceof LockError || error instanceof HttpRefusal;
}

/** What is told of whatever was thrown. An error without a known meaning is told without its text: what it says is for the log. */
export function refusalOf(error: unknown): readonly [LockError, HttpTerms] {
  if (error instanceof HttpRefusal) return [error.error, error.terms];
  if (error instanceof LockError) return [error, {}];
  const message = "The server failed in a way it was not made for. Whether the call was applied is unknown.";
  return [new LockError("outcome_unknown", message), { status: 500 }];
}

/** When trying again may help: once the first lock in the way has expired, else soon. */
function retryAfter(error: LockError, now: Date): Record<string, string> {
  if (!error.retryable) return {};
  const { conflicts = [], oldestLocks = [] } = error.facts;
  const expiries = [...conflicts, ...oldestLocks].flatMap(({ expiresAt }) =>
    expiresAt === undefined ? [] : [expiresAt.getTime() - now.getTime()],
  );
  const seconds = expiries.length === 0 ? soonSeconds : Math.ceil(Math.min(...expiries) / 1000);
  return { "retry-after": String(Math.max(seconds, soonSeconds)) };
}
