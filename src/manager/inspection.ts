/** Looking at what is there: each answer from one snapshot of the store (each page, for lists), and nothing expired in it. */
import {
  agentKey,
  agentLocks,
  agentWaits,
  allAgents,
  allLocks,
  allWaiters,
  isAgentKey,
  lockKey,
  locksBelow,
  pathOfAgentLockKey,
  pathOfLockKey,
  placeOfWaitKey,
  queueOf,
  waitKey,
} from "../core/keys.js";
import type { Holder } from "../core/records.js";
import { type ResourcePath, typeOf } from "../core/resource-path.js";
import { asAgentWait, asLock, asWaiter, type Found } from "../core/view.js";
import type { AgentState, Lock, LockPage, LockStats, ResourceState, Waiter } from "../lock-manager.js";
import type { Range } from "../store/store.js";
import type { ListTerms } from "./inputs.js";
import { lockOf, waiterOf } from "./lock-of.js";
import type { Read } from "./reader.js";

const shownWaiters = 100;
const pageSize = 1_000;

export class Inspection {
  readonly #read: Read;

  constructor(read: Read) {
    this.#read = read;
  }

  async lock(resource: ResourcePath, signal?: AbortSignal): Promise<Lock | undefined> {
    const { entries, storeTime } = await this.#read({ keys: [lockKey(resource.path)] }, signal);
    return locksIn(entries[0], storeTime)[0];
  }

  async resource(resource: ResourcePath, signal?: AbortSignal): Promise<ResourceState> {
    const { path, ancestors } = resource;
    const { entries, ranges, storeTime } = await this.#read(
      { keys: [path, ...ancestors].map(lockKey), ranges: [{ prefix: queueOf(path), limit: shownWaiters }] },
      signal,
    );
    const [own, ...above] = entries;
    return {
      resourcePath: path,
      holders: locksIn(own, storeTime),
      waiters: (ranges[0] ?? []).map((found) => waiterOf(path, asWaiter(found))),
      queueLength: own === undefined ? 0 : (asLock(own).queue?.waiting ?? 0),
      coveredBy: above.flatMap((entry) => locksIn(entry, storeTime).filter((lock) => lock.scope === "tree")),
    };
  }

  async list(terms: ListTerms, signal?: AbortSignal): Promise<LockPage> {
    const { prefix, limit, cursor } = terms;
    const first = cursor === undefined && prefix !== undefined && prefix !== "/";
    const range: Range = {
      prefix: prefix === undefined ? allLocks : locksBelow(prefix),
      limit,
      ...(cursor === undefined ? {} : { after: lockKey(cursor) }),
    };
    const { entries, ranges, storeTime } = await this.#read(
      { keys: first ? [lockKey(prefix)] : [], ranges: [range] },
      signal,
    );
    const page = ranges[0] ?? [];
    const last = page.length === limit ? page.at(-1) : undefined;
    const locks = [...entries, ...page]
      .flatMap((entry) => locksIn(entry, storeTime))
      .filter((lock) => matches(lock, terms, storeTime));
    return { locks, ...(last === undefined ? {} : { nextCursor: pathOfLockKey(last.key) }) };
  }

  async agentLocks(agentId: string, signal?: AbortSignal): Promise<Lock[]> {
    return (await this.agent(agentId, 0, signal)).locks.slice();
  }

  /** Two reads: what the agent has, and how that stands. The second decides, so nothing is shown that is not so. */
  async agent(agentId: string, limit: number, signal?: AbortSignal): Promise<AgentState> {
    const agent = agentKey(agentId);
    const { ranges } = await this.#read(
      { ranges: [{ prefix: agentLocks(agent) }, { prefix: agentWaits(agent) }] },
      signal,
    );
    const [held = [], waiting = []] = ranges;
    const lockKeys = held.map((found) => lockKey(pathOfAgentLockKey(agent, found.key)));
    const waitKeys = waiting.map((found) => {
      const { path, n } = asAgentWait(found);
      return waitKey(path, n);
    });
    const { entries, storeTime } = await this.#read({ keys: [...lockKeys, ...waitKeys] }, signal);
    return {
      agentId,
      locks: entries
        .slice(0, lockKeys.length)
        .flatMap((entry) => locksIn(entry, storeTime))
        .filter((lock) => lock.agentId === agentId)
        .toSorted((a, b) => a.acquiredAt.getTime() - b.acquiredAt.getTime()),
      waiting: entries
        .slice(lockKeys.length)
        .flatMap((entry) => (entry === undefined ? [] : [waiterIn(entry)]))
        .filter((waiter) => waiter.agentId === agentId),
      limit,
    };
  }

  async count(signal?: AbortSignal): Promise<number> {
    let count = 0;
    await this.#scan(allLocks, signal, (found, now) => {
      for (const holder of asLock(found).holders) if (holder.expiresAt > now) count++;
    });
    return count;
  }

  async stats(signal?: AbortSignal): Promise<LockStats> {
    const locks = await this.count(signal);
    let waiters = 0;
    let agents = 0;
    let oldest = Infinity;
    await this.#scan(allWaiters, signal, (found) => {
      waiters++;
      oldest = Math.min(oldest, asWaiter(found).since);
    });
    await this.#scan(allAgents, signal, (found) => {
      if (isAgentKey(found.key)) agents++;
    });
    return { locks, waiters, agents, ...(waiters === 0 ? {} : { oldestWaiterSince: new Date(oldest) }) };
  }

  /** Reads a whole range in pages. */
  async #scan(
    prefix: string,
    signal: AbortSignal | undefined,
    visit: (found: Found, now: number) => void,
  ): Promise<void> {
    let after: string | undefined;
    do {
      const range: Range = { prefix, limit: pageSize, ...(after === undefined ? {} : { after }) };
      const { ranges, storeTime } = await this.#read({ ranges: [range] }, signal);
      const page = ranges[0] ?? [];
      for (const found of page) visit(found, storeTime);
      after = page.length === pageSize ? page.at(-1)?.key : undefined;
    } while (after !== undefined);
  }
}

/** The locks in force of an entry, the oldest first. */
function locksIn(entry: Found | undefined, now: number): Lock[] {
  if (entry === undefined) return [];
  const path = pathOfLockKey(entry.key);
  return asLock(entry)
    .holders.filter((holder: Holder) => holder.expiresAt > now)
    .map((holder) => lockOf(path, holder, entry.revision));
}

function waiterIn(entry: Found): Waiter {
  return waiterOf(placeOfWaitKey(entry.key).path, asWaiter(entry));
}

function matches(lock: Lock, terms: ListTerms, now: number): boolean {
  const { agentId, resourceType, mode, expiringWithinMs } = terms;
  return (
    (agentId === undefined || lock.agentId === agentId) &&
    (mode === undefined || lock.mode === mode) &&
    (resourceType === undefined || typeOf(lock.resourcePath) === resourceType) &&
    (expiringWithinMs === undefined || lock.expiresAt.getTime() - now <= expiringWithinMs)
  );
}
