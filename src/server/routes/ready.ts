/** `GET /readyz`: whether requests should be sent here. */
import { LockError } from "../../errors.js";
import { textAnswer } from "../answer.js";
import { HttpRefusal, shuttingDown } from "../http-refusal.js";
import { type Route, refusalResponses } from "../route.js";
import type { Services } from "../services.js";

/** A store that takes longer to answer is as good as none. */
const storeTimeoutMs = 2_000;

export function readyRoute(services: Services): Route {
  return {
    method: "get",
    path: "/readyz",
    description: {
      operationId: "ready",
      summary: "Whether the server takes requests: the store answers, and it is not shutting down",
      responses: {
        200: { description: "It does.", content: { "text/plain": {} } },
        ...refusalResponses(),
      },
    },
    answer: async () => {
      if (services.waits.draining) throw shuttingDown();
      await checkStore(services);
      return textAnswer(200, "ready\n");
    },
  };
}

async function checkStore({ manager, clock }: Services): Promise<void> {
  const giveUp = new AbortController();
  const cancel = clock.after(storeTimeoutMs, () => giveUp.abort(), { background: true });
  try {
    await manager.getLock("/", { signal: giveUp.signal });
  } catch (cause) {
    const error = new LockError("store_unavailable", "Not ready: the store does not answer.", {}, { cause });
    throw new HttpRefusal(error, { status: 503 });
  } finally {
    cancel();
  }
}
