/** Views beside the truth (invariant I13): what is shown was so at one moment while the look lasted. */
import type { LockManager } from "../../src/lock-manager.js";
import { type TrueLock } from "./deed.js";
import type { Look } from "./script.js";
import type { Report } from "./store-rules.js";
import type { Truth } from "./truth.js";

export interface Glance {
  readonly process: string;
  readonly what: Look;
  readonly path: string;
  readonly agentId: string;
  /** What would have been right, each time the process heard of the store. */
  readonly seen: string[];
}

export class Looks {
  private readonly truth: Truth;
  private readonly report: Report;
  private readonly open = new Set<Glance>();

  constructor(truth: Truth, report: Report) {
    this.truth = truth;
    this.report = report;
  }

  begin(process: string, what: Look, path: string, agentId: string): Glance {
    const glance = { process, what, path, agentId, seen: [] };
    this.open.add(glance);
    return glance;
  }

  /** The process is just shown the store as it is. */
  glimpse(process: string): void {
    for (const glance of this.open) {
      if (glance.process === process) glance.seen.push(this.right(glance));
    }
  }

  end(glance: Glance): void {
    this.open.delete(glance);
  }

  check(glance: Glance, shown: string): void {
    const { what, path, agentId, seen } = glance;
    this.end(glance);
    if (seen.includes(shown)) return;
    const about = what === "agent" ? agentId : path;
    this.report("I13", `${what} ${about} showed ${shown}, when there was ${seen.at(-1) ?? "no look"}`);
  }

  private right({ what, path, agentId }: Glance): string {
    const { truth } = this;
    switch (what) {
      case "get":
        return lockList(at(truth, path).slice(0, 1));
      case "show": {
        // One change can empty a queue, begin it anew, and name the new waiters in another order.
        const here = [...(truth.waiters.get(path)?.values() ?? [])].toSorted((a, b) => a.n - b.n);
        return `${lockList(at(truth, path))} ${here.map((one) => one.lockId).join(" ")} ${here.length}`;
      }
      case "list":
        return lockList(sorted([...truth.inForce()].filter((lock) => isBelow(lock.path, path))));
      case "agent":
        return lockList(sorted([...truth.inForce()].filter((lock) => lock.agentId === agentId)));
      case "count":
        return String([...truth.inForce()].length);
    }
  }
}

/** What a manager shows, in the same words. */
export async function look(manager: LockManager, { what, path, agentId }: Glance): Promise<string> {
  switch (what) {
    case "get": {
      const lock = await manager.getLock(path);
      return lockList(lock === undefined ? [] : [lock]);
    }
    case "show": {
      const { holders, waiters, queueLength } = await manager.getResource(path);
      return `${lockList(holders)} ${waiters.map((one) => one.lockId).join(" ")} ${queueLength}`;
    }
    case "list":
      return lockList(sorted((await manager.listLocks({ prefix: path })).locks));
    case "agent":
      return lockList(sorted(await manager.getAgentLocks(agentId)));
    case "count":
      return String(await manager.getLockCount());
  }
}

interface Shown {
  readonly lockId: string;
  readonly expiresAt: number | Date;
}

function lockList(locks: readonly Shown[]): string {
  return `[${locks.map(({ lockId, expiresAt }) => `${lockId}@${new Date(expiresAt).getTime()}`).join(" ")}]`;
}

function sorted<T extends Shown>(locks: readonly T[]): T[] {
  return locks.toSorted((a, b) => (a.lockId < b.lockId ? -1 : 1));
}

/** In the order of their grants. */
function at(truth: Truth, path: string): TrueLock[] {
  return (truth.locks.get(path) ?? [])
    .filter((lock) => lock.expiresAt > truth.storeTime)
    .toSorted((a, b) => a.token - b.token || (a.lockId < b.lockId ? -1 : 1));
}

function isBelow(path: string, prefix: string): boolean {
  return prefix === "/" || path === prefix || path.startsWith(`${prefix}/`);
}
