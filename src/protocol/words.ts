/** What a refusal is called and what its caller can do next, by code. */
import type { ErrorCode } from "../errors.js";

interface Words {
  readonly title: string;
  /** The legal next moves, each a sentence. */
  readonly next: readonly string[];
}

export const wordsOf: { readonly [Code in ErrorCode]: Words } = {
  held: {
    title: "The resource is held",
    next: [
      "Work on something that is free.",
      "Wait in the queue: acquire again with a timeout.",
      "Stop and report who is in the way.",
    ],
  },
  limit_exceeded: {
    title: "A limit is reached",
    next: ["Release what is no longer needed, then acquire again."],
  },
  deadlock: {
    title: "Waiting would never end",
    next: ["Release what the others of the cycle wait for, then acquire everything together in one call."],
  },
  aborted: { title: "The call was aborted", next: ["Make the call again if it is still wanted."] },
  lost: {
    title: "The lock is lost",
    next: [
      "Stop what the lock protected: somebody else may hold it now.",
      "Acquire it again and go on with its new fencing token.",
    ],
  },
  not_holder: {
    title: "The lock is another agent's",
    next: ["Check the agent id and the lock id.", "Wait for the holder, or ask it to release the lock."],
  },
  invalid: {
    title: "The call is invalid",
    next: ["Correct the call: this one will always be refused."],
  },
  closed: {
    title: "The lock manager is closed",
    next: ["Make the call again once the server is back."],
  },
  store_unavailable: {
    title: "The store is unavailable",
    next: ["Nothing was changed: make the call again shortly."],
  },
  outcome_unknown: {
    title: "The outcome is unknown",
    next: ["Look at the state of the resource before going on: the call may have been applied."],
  },
};
