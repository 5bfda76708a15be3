/** Commits: sent on the handle's fence, so that one whose outcome is unknown can be shut out before anything else is answered. */
import type { Change, CommitReply, Outcome, StoreTime } from "../store.js";
import { StoreError } from "../store.js";
import { parseTxn } from "./answers.js";
import type { Fence, Footing, FootingKeeper } from "./footing.js";
import type { Gateway } from "./gateway.js";
import type { HintWatch } from "./hints.js";
import type { Keyspace } from "./keyspace.js";
import { outcomesOf, type Pages, type Part, type Planned, partsOf, transaction } from "./transactions.js";

/** Base or fence lost so often in one commit: somebody keeps deleting what the store stands on. */
export const mostFootings = 5;

interface Surroundings {
  readonly gateway: Gateway;
  readonly keyspace: Keyspace;
  readonly footing: FootingKeeper;
  readonly pages: Pages;
  readonly hints: HintWatch;
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
    const { keyspace, footing, pages, storeTime } = this.#around;
    const outcomes: Outcome[] = [];
    for (let tries = 1; tries <= mostFootings; tries++) {
      this.shutOutLate();
      try {
        const stand = await footing.forCommit(signal);
        const now = storeTime();
        const rest = this.#plan(changes.slice(outcomes.length), now);
        for (const part of partsOf(keyspace, stand.base, pages, rest)) {
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
    const { gateway, keyspace, footing, hints } = this.#around;
    const notAfter = Math.min(...changes.map(({ change }) => change.notAfter ?? Infinity));
    const underway: Underway = { fence: stand.fence, notAfter };
    this.#underway.add(underway);
    let isDone = false;
    try {
      const body = transaction(keyspace, stand, operations);
      const answer = parseTxn(await gateway.ask("/v3/kv/txn", body, { idempotent: false, signal }));
      if (answer.succeeded !== true) {
        footing.lost(stand);
        return undefined;
      }
      isDone = true;
      const answers = answer.responses ?? [];
      const wrote = changes.some(({ late }, place) => !late && answers[place]?.response_txn?.succeeded);
      const revision = footing.count(stand, answer.header.revision, wrote);
      const outcomes = outcomesOf(keyspace, stand.base, revision, changes, answers);
      const isHint = ({ change }: Planned, place: number): boolean =>
        change.announce.length > 0 && outcomes[place]?.applied === true;
      if (changes.some(isHint)) hints.expect(Number(answer.header.revision));
      return outcomes;
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
