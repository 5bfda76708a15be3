/** Looking whether a waiter closed a cycle of agents that each wait for the next. */
import type { Request } from "../core/claim.js";
import { type Edge, findCycle } from "../core/deadlock.js";
import type { Command } from "./job.js";
import type { Services } from "./services.js";

/** A call that may have stopped waiting by the time it is looked at. */
interface Waiting {
  readonly request: Request;
  readonly places: readonly number[];
  readonly isWaiting: boolean;
}

export function searchForDeadlock(
  { pipeline }: Services,
  call: Waiting,
  onCycle: (cycle: readonly Edge[]) => void,
): void {
  const search: Command<readonly Edge[] | undefined> = {
    plan: (view) => (call.isWaiting ? findCycle(view, call.request, call.places) : undefined),
    done: (cycle) => {
      if (cycle !== undefined && call.isWaiting) onCycle(cycle);
    },
    // Without an answer the timeouts decide.
    fail: () => undefined,
  };
  pipeline.submit(search);
}
