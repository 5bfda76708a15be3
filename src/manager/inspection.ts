/** Looking at what is there (I13): each answer, and each page of a list, is from one snapshot of the store, and no lock in it has expired. */
import {
  agentKey,
  agentLocks,
  agentWaits,
  allLocks,
  allWaiters,
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
import type { Query, ReadReply } from "../store/store.js";
import type { ListTerms } from "./inputs.js";
import {
  byGrant,
  type ListPosition,
  positionAfter,
  positionBehind,
  standsAfter,
  toCursor,
} from "./list-cursor.js";
import { lockOf, waiterOf } from "./lock-of.js";
import type { Read } from "./reader.js";

const shownWaiters = 100;
/** Then everything is read at once, whatever else happens meanwhile. */
const mostNarrowReads = 3;

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
    const { prefix, limit } = terms;
    const from: ListPosition = terms.after ?? { path: prefix };
    const range = { prefix: locksBelow(prefix), after: lockKey(from.path), limit: limit + 1 };
    const { entries, ranges, storeTime } = await this.#read(
      { keys: [lockKey(from.path)], ranges: [range] },
      signal,
    );
    const [rest = []] = ranges;
    const matching = [...entries, ...rest]
      .flatMap((entry) => locksIn(entry, storeTime))
      .filter((lock) => standsAfter(lock, from) && matches(lock, terms, storeTime));
    const locks = matching.slice(0, limit);
    const [shown, read] = [locks.at(-1), rest.at(-1)];
    if (shown !== undefined && matching.length > limit) {
      return { locks, nextCursor: toCursor(positionAfter(shown)) };
    }
    const more = read !== undefined && rest.length > limit;
    return { locks, ...(more && { nextCursor: toCursor(positionBehind(pathOfLockKey(read.key))) }) };
  }

  async agent(agentId: string, limit: number, signal?: AbortSignal): Promise<AgentState> {
    const agent = agentKey(agentId);
    const { named, found, storeTime } = await this.#named(
      [agentLocks(agent), agentWaits(agent)],
      ([held = [], waiting = []]) => [
        ...held.map((entry) => lockKey(pathOfAgentLockKey(agent, entry.key))),
        ...waiting.map(asAgentWait).map(({ path, n }) => waitKey(path, n)),
      ],
      signal,
    );
    const entries = named.flatMap((key) => found.get(key) ?? []);
    return {
      agentId,
      locks: entries
        .filter(({ key }) => key.startsWith(allLocks))
        .flatMap((entry) => locksIn(entry, storeTime))
        .filter((lock) => lock.agentId === agentId)
        .toSorted((a, b) => a.acquiredAt.getTime() - b.acquiredAt.getTime()),
      waiting: entries.filter(({ key }) => key.startsWith(allWaiters)).map(waiterIn),
      limit,
    };
  }

  async count(signal?: AbortSignal): Promise<number> {
    const { ranges, storeTime } = await this.#read({ ranges: [{ prefix: allLocks }] }, signal);
    return holdersIn(ranges[0], storeTime).length;
  }

  async stats(signal?: AbortSignal): Promise<LockStats> {
    const { ranges, storeTime } = await this.#read(
      { ranges: [{ prefix: allLocks }, { prefix: allWaiters }] },
      signal,
    );
    const holders = holdersIn(ranges[0], storeTime);
    const waiters = (ranges[1] ?? []).map(asWaiter);
    const oldest = waiters.reduce((earliest, { since }) => Math.min(earliest, since), Infinity);
    return {
      locks: holders.length,
      waiters: waiters.length,
      agents: new Set([...holders, ...waiters].map(({ agentId }) => agentId)).size,
      ...(waiters.length > 0 && { oldestWaiterSince: new Date(oldest) }),
    };
  }

  /**
   * Entries, and those they name, in one snapshot: reads the ranges together with what they named the time before, until
   * that is what they name.
   */
  async #named(
    prefixes: readonly string[],
    namesIn: (ranges: ReadReply["ranges"]) => string[],
    signal: AbortSignal | undefined,
  ): Promise<{ named: readonly string[]; found: ReadonlyMap<string, Found>; storeTime: number }> {
    const ranges = prefixes.map((prefix) => ({ prefix }));
    for (let reads = 1, keys: readonly string[] = []; ; reads++) {
      const whole = reads > mostNarrowReads;
      const query: Query = whole
        ? { ranges: [...ranges, { prefix: allLocks }, { prefix: allWaiters }] }
        : { keys, ranges };
      const reply = await this.#read(query, signal);
      const entries = [...reply.entries, ...reply.ranges.flat()].filter((entry) => entry !== undefined);
      const found = new Map(entries.map((entry) => [entry.key, entry]));
      const named = namesIn(reply.ranges);
      if (whole || named.every((key) => found.has(key))) return { named, found, storeTime: reply.storeTime };
      keys = named;
    }
  }
}

/** The locks in force of an entry, in the order of their grants. */
function locksIn(entry: Found | undefined, now: number): Lock[] {
  if (entry === undefined) return [];
  const path = pathOfLockKey(entry.key);
  return holdersIn([entry], now)
    .map((holder) => lockOf(path, holder, entry.revision))
    .toSorted(byGrant);
}

function holdersIn(entries: readonly Found[] = [], now: number): Holder[] {
  return entries.flatMap((entry) => asLock(entry).holders.filter(({ expiresAt }) => expiresAt > now));
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
