/** How a held lock ends for its holder, and what the holder is told. */
import type { Holder } from "../core/records.js";
import { afterLoss, LockError } from "../errors.js";
import { quote } from "./refusals.js";

/** How a holder lost its lock. */
export type Loss = "expired" | "revoked" | "gone";

/** How a held lock ended: lost, given back, or no longer watched because the manager closed. */
export type End = Loss | "released" | "closed";

/** Told once of the end of a lock. */
export interface EndListener {
  /** @param why makes the error, which few want. */
  lockEnded(
    lock: { readonly resourcePath: string; readonly lockId: string },
    end: End,
    why: () => LockError,
  ): void;
}

interface Ended {
  readonly path: string;
  readonly holder: Holder;
  readonly listeners: readonly EndListener[];
}

export function tellOfEnd({ path, holder, listeners }: Ended, end: End): void {
  const lock = { resourcePath: path, lockId: holder.lockId };
  for (const listener of listeners) listener.lockEnded(lock, end, () => endedError(path, holder, end));
}

export function endedError(resourcePath: string, { agentId, lockId }: Holder, end: End): LockError {
  const facts = { resourcePath, agentId, lockId };
  const path = quote(resourcePath);
  switch (end) {
    case "released":
      return new LockError("lost", `The lock on ${path} was released.`, facts);
    case "closed":
      return new LockError(
        "closed",
        `The lock manager that watched over the lock on ${path} was closed.`,
        facts,
      );
    default:
      return new LockError("lost", `The lock on ${path} is lost: ${losses[end]}.`, {
        ...facts,
        next: afterLoss,
      });
  }
}

const losses: Readonly<Record<Loss, string>> = {
  expired: "it expired without having been extended",
  revoked: "an operator released it",
  gone: "it is no longer in force",
};
