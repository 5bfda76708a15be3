/** `POST /v1/locks`: takes one path or several, now or after waiting in the queue. */
import { z } from "zod";
import { invalid, LockError } from "../../errors.js";
import type { AcquiredLock } from "../../lock-manager.js";
import { type AcquireRequest, acquireRequestSchema } from "../../protocol/acquire.js";
import { agentHeader, idempotencyHeader } from "../../protocol/headers.js";
import { locksSchema, lockToJson } from "../../protocol/lock.js";
import type { AcquireAttempt } from "../acquire-attempt.js";
import { acquireOptions, waitOf } from "../acquire-request.js";
import { type Answer, jsonAnswer } from "../answer.js";
import type { Cancellation } from "../cancellation.js";
import type { Exchange } from "../exchange.js";
import { requiredAgentOf } from "../request-agent.js";
import { readBody } from "../request-body.js";
import { jsonBody, jsonResponse, type Route, refusalResponses } from "../route.js";
import type { Services } from "../services.js";

interface Asked {
  readonly agentId: string;
  readonly request: AcquireRequest;
  readonly waitMs: number;
}

export function acquireRoute(services: Services): Route {
  return {
    method: "post",
    path: "/v1/locks",
    description: {
      operationId: "acquireLocks",
      summary: "Acquire one lock, or several at one moment",
      description:
        "All or nothing. Whoever hangs up while waiting leaves the queue, and a lock whose answer cannot be delivered is released again. " +
        "The agent that already holds a path gets the same lock, its expiry pushed on.",
      request: {
        headers: z.object({
          [agentHeader]: z.string().optional(),
          [idempotencyHeader]: z.string().optional().meta({
            description: "A repeated request with the same key gets the same locks, for ten minutes.",
          }),
        }),
        body: jsonBody(acquireRequestSchema, {
          resource_path: "/repo/src/a.ts",
          agent_id: "agent-123",
          ttl: "1m",
          reason: "rename User.id to userId",
        }),
      },
      responses: {
        ...jsonResponse(201, "The locks, in the order asked, duplicates once.", locksSchema),
        ...jsonResponse(200, "What an earlier request with this `Idempotency-Key` got.", locksSchema),
        ...refusalResponses(409, 410, 413, 415, 422, 429, 499),
      },
    },
    answer: async (exchange) => {
      const request = await readBody(exchange, acquireRequestSchema);
      const agentId = requiredAgentOf(exchange, request.agent_id);
      return acquire(services, exchange, { agentId, request, waitMs: waitOf(request) });
    },
  };
}

async function acquire(services: Services, exchange: Exchange, asked: Asked): Promise<Answer> {
  let attempt: AcquireAttempt | undefined;
  // Counted in before anything is acquired, as it may be one too many.
  const stopWaiting =
    asked.waitMs === 0 ? undefined : services.waits.enter((refusal) => attempt?.abort(refusal));
  try {
    const started = attemptFor(services, exchange, asked);
    attempt = started.attempt;
    return await answerWith(services, exchange, started);
  } finally {
    stopWaiting?.();
  }
}

interface Started {
  readonly attempt: AcquireAttempt;
  readonly repeated: boolean;
}

async function answerWith(
  { manager }: Services,
  exchange: Exchange,
  { attempt, repeated }: Started,
): Promise<Answer> {
  let told = false;
  const leave = attempt.join();
  exchange.whenOver((delivered) => leave(told && delivered));
  const locks = await attempt.locks;
  if (repeated) refuseEnded(locks);
  const now = manager.currentTime();
  const answer = jsonAnswer(repeated ? 200 : 201, { locks: locks.map((lock) => lockToJson(lock, now)) });
  told = true;
  return answer;
}

function attemptFor({ manager, attempts }: Services, exchange: Exchange, asked: Asked): Started {
  const { agentId, request } = asked;
  const paths = pathsOf(request);
  const options = acquireOptions(request, asked.waitMs);
  const run = async (signal: Cancellation): Promise<readonly AcquiredLock[]> =>
    typeof paths === "string"
      ? [await manager.acquireLock(paths, agentId, { ...options, signal })]
      : manager.acquireMultipleLocks(paths, agentId, { ...options, signal });
  const key = exchange.header(idempotencyHeader);
  if (key === undefined) return { attempt: attempts.startOne(run), repeated: false };
  return attempts.start({ agentId, key, request: JSON.stringify(request) }, run);
}

function pathsOf({ resource_path, resource_paths }: AcquireRequest): string | string[] {
  if (resource_path !== undefined && resource_paths !== undefined)
    throw invalid("resource_paths", resource_paths, "resource_path or resource_paths, not both");
  const paths = resource_path ?? resource_paths;
  if (paths === undefined) throw invalid("resource_path", undefined, "resource_path or resource_paths");
  return paths;
}

/** A repeated request must neither get a second lock nor be told of one that has ended. */
function refuseEnded(locks: readonly AcquiredLock[]): void {
  const ended = locks.find((lock) => lock.signal.aborted);
  if (ended === undefined) return;
  const { resourcePath, agentId, lockId } = ended;
  throw new LockError(
    "lost",
    `The lock on "${resourcePath}" that came with this Idempotency-Key has ended.`,
    {
      resourcePath,
      agentId,
      lockId,
      next: ["Acquire again with a new Idempotency-Key, and go on with the new fencing token."],
    },
  );
}
