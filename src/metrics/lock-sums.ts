/**
 * Metrics as a fold over events: plain numbers that `observe` adds to.
 *
 * It sees two events for each lock that is taken and given back, so it looks up the resource type and adds; names, labels and text are
 * made only when somebody asks (`exposition.ts`).
 */
import { type ErrorCode, errorCatalogue } from "../errors.js";
import type { LockEventType } from "../lock-manager.js";
import { SumsByType } from "./type-sums.js";

/** What of a `LockEvent` is counted. */
export interface CountedEvent {
  readonly type: LockEventType;
  readonly resourceType: string;
  readonly cause?: string | undefined;
  readonly call?: "acquire" | "release" | "extend" | undefined;
  readonly waitedMs?: number | undefined;
  readonly heldMs?: number | undefined;
}

/** Labels come from closed sets, so that no series is made from what a client sends; anything else is `other`. */
export type FailureReason = ErrorCode | "other";
export type HowLost = "expired" | "revoked" | "gone" | "other";

export class LockSums {
  readonly byType = new SumsByType();
  readonly failures = new Map<FailureReason, number>(
    [...errorCodes(), "other" as const].map((reason) => [reason, 0]),
  );
  readonly lost = new Map<HowLost, number>([
    ["expired", 0],
    ["revoked", 0],
    ["gone", 0],
    ["other", 0],
  ]);
  expired = 0;
  cleanedUp = 0;

  observe(event: CountedEvent): void {
    const sums = this.byType.of(event.resourceType);
    switch (event.type) {
      case "acquired":
        sums.acquired += 1;
        if (event.waitedMs !== undefined) sums.acquisition.add(event.waitedMs);
        return;
      case "released":
        sums.released += 1;
        if (event.heldMs !== undefined) sums.hold.add(event.heldMs);
        return;
      case "extended":
        sums.extended += 1;
        return;
      case "expired":
        this.expired += 1;
        // A takeover found the expired lock still there: nobody had cleaned up.
        if (event.cause !== "takeover") this.cleanedUp += 1;
        if (event.heldMs !== undefined) sums.hold.add(event.heldMs);
        return;
      case "revoked":
        sums.revoked += 1;
        if (event.heldMs !== undefined) sums.hold.add(event.heldMs);
        return;
      case "contended":
        sums.contended += 1;
        return;
      case "refused":
        sums.refused += 1;
        increment(this.failures, failureReason(event.cause));
        return;
      case "failed":
        if (event.call === "release") sums.releaseFailed += 1;
        increment(this.failures, failureReason(event.cause));
        return;
      case "lost":
        increment(this.lost, howLost(event.cause));
        return;
      case "queued":
      case "dequeued":
      case "reset":
        return;
    }
  }
}

function increment<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function failureReason(cause: string | undefined): FailureReason {
  return cause !== undefined && isErrorCode(cause) ? cause : "other";
}

function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(errorCatalogue, text);
}

function errorCodes(): ErrorCode[] {
  return Object.keys(errorCatalogue).filter(isErrorCode);
}

function howLost(cause: string | undefined): HowLost {
  return cause === "expired" || cause === "revoked" || cause === "gone" ? cause : "other";
}
