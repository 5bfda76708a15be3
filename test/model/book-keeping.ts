/** What the entries of a store must say, whatever happened before: counters, cross references, nothing empty. */
import {
  agentKey,
  agentLockKey,
  agentWaitKey,
  allAgents,
  allLocks,
  allWaiters,
  pathOfLockKey,
  placeOfWaitKey,
} from "../../src/core/keys.js";
import type { AgentRecord, AgentWaitRecord, Holder, LockRecord, WaitRecord } from "../../src/core/records.js";
import type { Entries } from "../core/map-view.js";

export interface StoredLock extends Holder {
  readonly path: string;
}

export interface StoredWaiter extends WaitRecord {
  readonly path: string;
  readonly n: number;
}

/** Every lock in the store, tokens written out, in the order of the paths. */
export function storedLocks(entries: Entries): StoredLock[] {
  return under(entries, allLocks).flatMap((key) => {
    const { revision, value } = entries.at(key)!;
    return (value as unknown as LockRecord).holders.map((holder) => ({
      ...holder,
      path: pathOfLockKey(key),
      token: holder.token === 0 ? revision : holder.token,
    }));
  });
}

/** Every waiter in the store, queue by queue. */
export function storedWaiters(entries: Entries): StoredWaiter[] {
  return under(entries, allWaiters).map((key) => ({
    ...(entries.at(key)!.value as unknown as WaitRecord),
    ...placeOfWaitKey(key),
  }));
}

/** What is wrong with the entries; nothing, when all is well. */
export function bookKeepingErrors(entries: Entries): string[] {
  const locks = storedLocks(entries);
  const waiters = storedWaiters(entries);
  return [...queueErrors(entries, waiters), ...agentErrors(entries, locks, waiters)];
}

function queueErrors(entries: Entries, waiters: readonly StoredWaiter[]): string[] {
  const errors: string[] = [];
  const queues = new Set<string>();
  for (const key of under(entries, allLocks)) {
    const { holders, queue } = entries.at(key)!.value as unknown as LockRecord;
    if (holders.length === 0 && queue === undefined) errors.push(`${key} has nothing in it`);
    if (queue === undefined) continue;
    const path = pathOfLockKey(key);
    queues.add(path);
    const here = waiters.filter((waiter) => waiter.path === path);
    const trees = here.filter((waiter) => waiter.scope === "tree").length;
    if (here.length === 0) errors.push(`${key} has an empty queue`);
    if (queue.waiting !== here.length)
      errors.push(`${key} counts ${queue.waiting} of ${here.length} waiters`);
    if (queue.trees !== trees) errors.push(`${key} counts ${queue.trees} of ${trees} trees`);
    for (const { n } of here) {
      if (n < queue.head || n >= queue.next) errors.push(`${key} does not reach its waiter ${n}`);
    }
  }
  for (const { path, n } of waiters) {
    if (!queues.has(path)) errors.push(`waiter ${n} of ${path} stands in no queue`);
  }
  return errors;
}

function agentErrors(
  entries: Entries,
  locks: readonly StoredLock[],
  waiters: readonly StoredWaiter[],
): string[] {
  const expected = new Map<string, AgentRecord | AgentWaitRecord | 1>();
  const count = (agent: string, more: AgentRecord): void => {
    const { locks: held, waits } = (expected.get(agent) as AgentRecord | undefined) ?? { locks: 0, waits: 0 };
    expected.set(agent, { locks: held + more.locks, waits: waits + more.waits });
  };
  for (const { agentId, path } of locks) {
    const agent = agentKey(agentId);
    count(agent, { locks: 1, waits: 0 });
    expected.set(agentLockKey(agent, path), 1);
  }
  for (const { agentId, path, n, requestId, lockId } of waiters) {
    const agent = agentKey(agentId);
    count(agent, { locks: 0, waits: 1 });
    expected.set(agentWaitKey(agent, lockId), { path, n, requestId });
  }
  const found = new Map(under(entries, allAgents).map((key) => [key, entries.at(key)!.value] as const));
  return [...new Set([...expected.keys(), ...found.keys()])].flatMap((key) => {
    const says = JSON.stringify(found.get(key));
    const should = JSON.stringify(expected.get(key));
    return says === should ? [] : [`${key} says ${says}, but should say ${should}`];
  });
}

function under(entries: Entries, prefix: string): string[] {
  return entries.keys().filter((key) => key.startsWith(prefix));
}
