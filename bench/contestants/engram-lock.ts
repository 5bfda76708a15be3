/** The lock manager itself, in process, over its two stores. */
import { createLockManager } from "../../src/create-lock-manager.js";
import type { LockManager } from "../../src/lock-manager.js";
import type { LockManagerConfig } from "../../src/manager/config.js";
import { openStore } from "../../src/open-store.js";
import type { CommitReply, Store } from "../../src/store/store.js";
import { scratchFolder } from "../scratch.js";
import type { Contestant, ContestantKind, Work } from "./contestant.js";

/** A lock manager on a fresh store; `close` leaves nothing behind. */
export interface OpenManager {
  readonly locks: LockManager;
  /** What it works on. */
  readonly store: Store;
  readonly close: () => Promise<void>;
}

export type StoreName = "memory" | "embedded";

export async function openManager(name: StoreName, config: LockManagerConfig = {}): Promise<OpenManager> {
  const folder = name === "embedded" ? scratchFolder("engram-lock") : undefined;
  const store = await openStore(folder === undefined ? "memory:" : `file:${folder.path}`);
  const locks = await createLockManager(config, store);
  return {
    locks,
    store,
    async close() {
      await locks.close();
      await store.close();
      folder?.remove();
    },
  };
}

export const engramMemory: ContestantKind = {
  name: "memory store",
  open: async () => contestantOf("memory store", await openManager("memory")),
};
export const engramEmbedded: ContestantKind = {
  name: "embedded store",
  open: async () => contestantOf("embedded store", await openManager("embedded")),
};

/** Our manager on a store whose server runs. */
export async function managerAt(name: string, url: string): Promise<Contestant> {
  const store = await openStore(url);
  const counted = { changes: 0, refused: 0 };
  const commit = async (...call: Parameters<Store["commit"]>): Promise<CommitReply> => {
    const reply = await store.commit(...call);
    counted.changes += reply.outcomes.length;
    for (const { applied } of reply.outcomes) if (!applied) counted.refused++;
    return reply;
  };
  const locks = await createLockManager(
    {},
    {
      traits: store.traits,
      commit,
      read: (...call) => store.read(...call),
      subscribe: (listener) => store.subscribe(listener),
      close: () => store.close(),
    },
  );
  const close = async (): Promise<void> => {
    await locks.close();
    await store.close();
  };
  const refusedShare = (): number => counted.refused / Math.max(counted.changes, 1);
  return { ...contestantOf(name, { locks, close }), refusedShare };
}

/** A manager as the workloads see it; closed with it. */
export function contestantOf(
  name: string,
  { locks, close }: Pick<OpenManager, "locks" | "close">,
): Contestant {
  const agents = Array.from({ length: 1_000 }, (_, worker) => `agent-${worker}`);
  const agentOf = (worker: number): string => agents[worker] ?? `agent-${worker}`;
  return {
    name,
    queues: true,
    async hold(path: string, worker: number, work: Work) {
      const lock = await locks.acquireLock(path, agentOf(worker));
      await work();
      await lock.release();
    },
    async holdAll(paths: readonly string[], worker: number, work: Work) {
      const held = await locks.acquireMultipleLocks(paths, agentOf(worker));
      await work();
      await Promise.all(held.map((lock) => lock.release()));
    },
    close,
  };
}
