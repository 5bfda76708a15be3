/** How locks, waiters and errors are put into words that stay the same from run to run. */
import { formatDuration } from "../../src/duration.js";
import { type Conflict, LockError } from "../../src/errors.js";
import type { Lock, LockEvent, Waiter } from "../../src/lock-manager.js";

/** Fencing tokens as 1, 2, 3 in the order in which they were first seen. */
export class Words {
  private readonly ordinals = new Map<number, number>();
  readonly now: () => number;

  /** @param now store time. */
  constructor(now: () => number) {
    this.now = now;
  }

  token(token: number): number {
    const known = this.ordinals.get(token) ?? this.ordinals.size + 1;
    this.ordinals.set(token, known);
    return known;
  }

  /** Rounded to a tenth of a second: the clocks of store and manager may drift apart. */
  duration(ms: number): string {
    const tenths = Math.round(ms / 100) * 100;
    return tenths === 0 && ms !== 0 ? formatDuration(ms) : formatDuration(tenths);
  }

  until(date: Date): string {
    const left = date.getTime() - this.now();
    return left > 0 ? `for another ${this.duration(left)}` : `until ${this.duration(-left)} ago`;
  }

  holds(lock: Lock): string {
    return `${lock.agentId} holds ${lock.resourcePath}${standing(lock)}, token ${this.token(lock.fencingToken)}`;
  }

  holdsFor(lock: Lock): string {
    const why = lock.reason === undefined ? "" : `, because "${lock.reason}"`;
    return `${this.holds(lock)}, ${this.until(lock.expiresAt)}${why}`;
  }

  waits(waiter: Waiter): string {
    const until = waiter.until === undefined ? "for ever" : this.until(waiter.until);
    return `${waiter.agentId} waits for ${waiter.resourcePath}${standing(waiter)}, ${until}`;
  }

  conflict({ agentId, resourcePath, standing: as, reason, expiresAt, ...rest }: Conflict): string {
    const why = reason === undefined ? "" : `, because "${reason}"`;
    if (as === "waiter") return `${agentId} is ahead for ${resourcePath}${standing(rest)}${why}`;
    const until = expiresAt === undefined ? "" : ` ${this.until(expiresAt)}`;
    return `${agentId} holds ${resourcePath}${standing(rest)}${until}${why}`;
  }

  /** `held: ann holds /plan for another 30s`: the code, and what the error says. */
  error(error: unknown): string {
    if (!(error instanceof LockError)) return `${String(error)}, which is no LockError`;
    const { code, facts, message } = error;
    switch (code) {
      case "held": {
        const who = (facts.conflicts ?? []).map((conflict) => this.conflict(conflict));
        const waited = (facts.waitedMs ?? 0) >= 1 ? `, after ${this.duration(facts.waitedMs ?? 0)}` : "";
        const queue = (facts.queueLength ?? 0) > 0 ? `, ${facts.queueLength} in the queue` : "";
        return `held: ${who.length === 0 ? message : who.join("; ")}${waited}${queue}`;
      }
      case "deadlock": {
        const cycle = facts.cycle ?? [];
        return `deadlock: ${cycle.map((edge) => `${edge.agentId} waits for ${edge.waitsFor} behind ${edge.blockedBy}`).join(", ")}`;
      }
      default:
        return `${code}: ${message}`;
    }
  }

  event({ type, agentId, resourcePath, fencingToken, cause, by, heldMs, waitedMs }: LockEvent): string {
    const facts = [
      fencingToken === undefined ? "" : `token ${this.token(fencingToken)}`,
      heldMs === undefined ? "" : `held ${this.duration(heldMs)}`,
      waitedMs === undefined || waitedMs < 1 ? "" : `waited ${this.duration(waitedMs)}`,
      cause === undefined ? "" : `cause ${cause}`,
      by === undefined ? "" : `by ${by}`,
    ];
    return [`${type} ${agentId ?? ""} ${resourcePath}`, ...facts.filter((fact) => fact !== "")].join(", ");
  }
}

function standing({ mode, scope }: Pick<Lock, "mode" | "scope">): string {
  return `${scope === "tree" ? " and all below" : ""}${mode === "shared" ? " shared" : ""}`;
}
