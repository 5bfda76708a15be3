/** What each command is to be answered, by the rules as the documents state them, over the naive locks. */
import type { AcquireReply } from "../../src/core/acquire.js";
import type { Request } from "../../src/core/claim.js";
import type { Limits } from "../../src/core/grant.js";
import type { PromoteReply } from "../../src/core/promote.js";
import type { Glance, NaiveLock, NaiveLocks, NaiveWaiter } from "./naive-locks.js";

/** What is wrong about the name under which a lock is released or extended. */
export type Wrong = "nothing" | "agent" | "lock id";

export class Answers {
  private readonly naive: NaiveLocks;
  private readonly limits: Limits;

  constructor(naive: NaiveLocks, limits: Limits) {
    this.naive = naive;
    this.limits = limits;
  }

  acquire(request: Request, waits: boolean, glance: Glance): AcquireReply["kind"] {
    const paths = request.claims.map((claim) => claim.resource.path);
    if (this.mismatches(request, glance)) return "mismatch";
    const fresh = this.fresh(request, paths, glance);
    if (!this.naive.isBlocked(request, fresh, Infinity, glance)) return this.judge(request, fresh, glance);
    if (!waits) return "held";
    return this.mayQueue(request, paths) ? "queued" : "too many waiters";
  }

  promote({ request, paths, ticket }: NaiveWaiter, glance: Glance): PromoteReply["kind"] {
    if (paths.size < request.claims.length) return "gone";
    if (this.naive.isBlocked(request, paths, ticket, glance)) return "waiting";
    if (this.mismatches(request, glance)) return "mismatch";
    return this.judge(request, this.fresh(request, [...paths], glance), glance);
  }

  /** Why a lock may not be released or extended (invariant I12), if so. */
  standing(lock: NaiveLock, wrong: Wrong, glance: Glance): "lost" | "not holder" | undefined {
    if (wrong === "lock id" || !this.naive.locks.includes(lock)) return "lost";
    // An expired lock is nobody's, so it is not somebody else's either.
    if (!this.naive.inForce(lock, glance)) return "lost";
    return wrong === "agent" ? "not holder" : undefined;
  }

  /** The paths the agent does not hold yet. */
  fresh({ agentId }: Request, paths: readonly string[], glance: Glance): string[] {
    return paths.filter((path) => this.naive.own(agentId, path, glance) === undefined);
  }

  private mismatches({ agentId, mode, scope, claims }: Request, glance: Glance): boolean {
    return claims.some(({ resource }) => {
      const own = this.naive.own(agentId, resource.path, glance);
      return own !== undefined && (own.mode !== mode || own.scope !== scope);
    });
  }

  /** The limit, judged at the grant (invariant I7). What the agent has already costs nothing. */
  private judge(
    { agentId }: Request,
    fresh: readonly string[],
    glance: Glance,
  ): "granted" | "too many locks" {
    if (fresh.length === 0) return "granted";
    const held = this.naive.locks.filter(
      (lock) => lock.agentId === agentId && this.naive.inForce(lock, glance),
    );
    return held.length + fresh.length > this.limits.maxLocksPerAgent ? "too many locks" : "granted";
  }

  private mayQueue({ agentId }: Request, paths: readonly string[]): boolean {
    const { waiters } = this.naive;
    const places = waiters
      .filter((one) => one.request.agentId === agentId)
      .reduce((sum, one) => sum + one.paths.size, 0);
    const longest = Math.max(...paths.map((path) => waiters.filter((one) => one.paths.has(path)).length));
    return (
      longest < this.limits.maxWaitersPerResource && places + paths.length <= this.limits.maxWaitersPerAgent
    );
  }
}
