/** Commits: sent on the handle's fence, so that one whose outcome is unknown can be shut out before anything else is answered. */
import type { Change, CommitReply, Outcome, StoreTime } from "../store.js";
import { StoreError } from "../store.js";
import type { Cluster } from "./cluster.js";
import type { Fence, Footing, FootingKeeper } from "./footing.js";
import type { Keyspace } from "./keyspace.js";
import { readTransaction } from "./messages.js";
import { onFooting, outcomesOf, type Pages, type Part, type Planned, partsOf } from "./transactions.js";

/** Base or fence lost so often in one commit: somebody keeps deleting what the store stands on. */
export const mostFootings = 5;

interface Surroundings {
  readonly cluster: Cluster;
  readonly keyspace: Keyspace;
  readonly footing: FootingKeeper;
  readonly pages: Pages;
  readonly mostOperations: number;
  readonly storeTime: () => StoreTime;
  readonly clockUncertaintyMs: number;
}

/** A transaction that was sent and not answered yet. */
interface Underway {
  readonly fence: Fence;
  /** The earliest of its changes. */
  readonly notAfter: StoreTime;
}

export class Commits {
  readonly #around: Surroundings;
  readonly #underway = new Set<Underway>();

  constructor(around: Surroundings) {
    this.#around = around;
  }

  async commit(changes: readonly Change[], signal: AbortSignal | undefined): Promise<CommitReply> {
    const { keyspace, footing, pages, mostOperations, storeTime } = this.#around;
    const outcomes: Outcome[] = [];
    for (let tries = 1; tries <= mostFootings; tries++) {
      this.shutOutLate();
      try {
        const stand = await footing.forCommit(signal);
        const now = storeTime();
        const rest = this.#plan(changes.slice(outcomes.length), now);
        for (const part of partsOf({ keyspace, base: stand.base, pages, mostOperations }, rest)) {
          const some = await this.#send(stand, part, signal);
          if (some === undefined) break;
          outcomes.push(...some);
        }
        if (outcomes.length === changes.length) return { outcomes, storeTime: now };
      } catch (error) {
        throw outcomes.length === 0 ? error : partlyDone(error);
      }
    }
    throw baseless(outcomes.length === 0 ? "none" : "unknown");
  }

  /**
   * To be called before anything is asked. Whoever is told a store time must not find later that a change was applied which was to be
   * applied before it; so a transaction that is still under way then is shut out.
   */
  shutOutLate(): void {
    const now = this.#around.storeTime();
    for (const { fence, notAfter } of this.#underway) if (notAfter < now) this.#around.footing.doubt(fence);
  }

  /** What may be late by any clock is late. */
  #plan(changes: readonly Change[], now: StoreTime): Planned[] {
    const latest = now + this.#around.clockUncertaintyMs;
    return changes.map((change) => ({ change, late: latest > (change.notAfter ?? Infinity) }));
  }

  /** `undefined`: surely nothing was applied, because base or fence were not as they were known to be. */
  async #send(
    stand: Footing & { readonly fence: Fence },
    { operations, changes }: Part,
    signal: AbortSignal | undefined,
  ): Promise<Outcome[] | undefined> {
    const { cluster, keyspace, footing } = this.#around;
    const notAfter = Math.min(...changes.map(({ change }) => change.notAfter ?? Infinity));
    const underway: Underway = { fence: stand.fence, notAfter };
    this.#underway.add(underway);
    let isDone = false;
    try {
      const request = onFooting(keyspace, stand, operations);
      const reply = readTransaction(
        await cluster.ask("etcdserverpb.KV/Txn", request, { idempotent: false, signal }),
      );
      if (!reply.succeeded) {
        footing.lost(stand);
        return undefined;
      }
      isDone = true;
      const wrote = changes.some(({ late }, place) => !late && reply.replies[place]?.succeeded);
      const revision = footing.count(stand, reply.revision, wrote);
      return outcomesOf(keyspace, stand.base, revision, changes, reply.replies);
    } catch (error) {
      if (!(error instanceof StoreError) || error.outcome === "unknown") footing.doubt(stand.fence);
      throw isDone ? partlyDone(error) : error;
    } finally {
      this.#underway.delete(underway);
    }
  }
}

export function baseless(outcome: "none" | "unknown"): StoreError {
  return new StoreError("What the store stands on in etcd was deleted again and again.", {
    outcome,
    retryable: true,
  });
}

function partlyDone(error: unknown): unknown {
  if (!(error instanceof StoreError) || error.outcome === "unknown") return error;
  return new StoreError(`A part of the commit is done, the rest is not: ${error.message}`, {
    outcome: "unknown",
    retryable: error.retryable,
    cause: error,
  });
}
