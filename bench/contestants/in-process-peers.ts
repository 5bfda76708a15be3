/** Locks of one process, without ttl, fencing token, limit, events or store: what queueing costs at the least. */
import AsyncLock from "async-lock";
import { Mutex } from "async-mutex";
import type { Contestant, ContestantKind } from "./contestant.js";

export const asyncMutex: ContestantKind = { name: "async-mutex", open: async () => openAsyncMutex() };
export const asyncLock: ContestantKind = { name: "async-lock", open: async () => openAsyncLock() };

/** A mutex for each path, kept: the quickest way to use it, and one that never forgets a path. */
function openAsyncMutex(): Contestant {
  const mutexes = new Map<string, Mutex>();
  const mutexOf = (path: string): Mutex => {
    const known = mutexes.get(path);
    if (known !== undefined) return known;
    const mutex = new Mutex();
    mutexes.set(path, mutex);
    return mutex;
  };
  return {
    name: asyncMutex.name,
    queues: true,
    async hold(path, _worker, work) {
      const release = await mutexOf(path).acquire();
      await work();
      release();
    },
    async holdAll(paths, _worker, work) {
      const releases: (() => void)[] = [];
      for (const path of paths.toSorted()) releases.push(await mutexOf(path).acquire());
      await work();
      for (const release of releases) release();
    },
    close: async () => mutexes.clear(),
  };
}

function openAsyncLock(): Contestant {
  const locks = new AsyncLock({ maxPending: Infinity });
  return {
    name: asyncLock.name,
    queues: true,
    hold: (path, _worker, work) => locks.acquire(path, async () => work()),
    holdAll: (paths, _worker, work) => locks.acquire([...paths], async () => work()),
    close: async () => {},
  };
}
