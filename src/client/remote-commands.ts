/** What is asked of the server for locks, and what its answers mean for those that are held here. */
import type { z } from "zod";
import type { Clock } from "../clock/clock.js";
import { toMilliseconds } from "../duration.js";
import { invalid, LockError } from "../errors.js";
import type {
  AcquiredLock,
  AcquireOptions,
  CallOptions,
  Duration,
  ForceReleaseOptions,
  Lock,
} from "../lock-manager.js";
import { type LockJson, lockFromJson, locksSchema } from "../protocol/lock.js";
import { releasedSchema } from "../protocol/release.js";
import type { Calls } from "./calls.js";
import type { FollowUps } from "./follow-ups.js";
import type { Call } from "./pending.js";
import { acquireCall, type Paths } from "./remote-acquire.js";
import type { RemoteLock } from "./remote-lock.js";
import type { RemoteLocks } from "./remote-locks.js";
import type { RemoteViews } from "./remote-views.js";
import { SharedCalls } from "./shared-calls.js";
import { Unwanted } from "./unwanted.js";

/** A change is carried out within this, or never (the patience of the lock manager, and a little for the way). */
const lateForMs = 6_000;
/** As many paths as one look may name. */
const pathsPerCheck = 100;

export interface CommandsParts {
  readonly clock: Clock;
  readonly calls: Calls;
  readonly views: RemoteViews;
  readonly followUps: FollowUps;
  readonly held: () => RemoteLocks;
}

export class RemoteCommands {
  readonly #parts: CommandsParts;
  readonly #releases: SharedCalls<z.output<typeof releasedSchema>, boolean>;
  readonly #extensions: SharedCalls<z.output<typeof locksSchema>, LockJson | undefined>;
  readonly #unwanted: Unwanted;

  constructor(parts: CommandsParts) {
    this.#parts = parts;
    const { calls, followUps } = parts;
    this.#releases = new SharedCalls({
      op: "release",
      calls,
      schema: releasedSchema,
      oneOf: ({ released }, place) => released[place] === true,
    });
    this.#extensions = new SharedCalls({
      op: "extend",
      calls,
      schema: locksSchema,
      oneOf: ({ locks }, place) => locks[place],
    });
    this.#unwanted = new Unwanted({
      isHeld: ({ resourcePath, lockId }) => this.#held.find(resourcePath, lockId) !== undefined,
      isAskedFor: ({ resourcePath, agentId }) => calls.isAsking(resourcePath, agentId),
      release: (lock) => {
        if (!calls.isClosed) followUps.add(this.releaseOne(lock));
      },
    });
  }

  get #held(): RemoteLocks {
    return this.#parts.held();
  }

  async acquire(paths: Paths, agentId: string, options: AcquireOptions): Promise<AcquiredLock[]> {
    const autoExtend = options.autoExtend === true;
    let handles: AcquiredLock[] = [];
    try {
      await this.#parts.calls.make(acquireCall(paths, agentId, options), {
        schema: locksSchema,
        onAnswer: ({ locks }) => {
          handles = locks.map((lock) => this.#held.hold(lockFromJson(lock), autoExtend));
        },
        onLate: ({ locks }) => {
          for (const lock of locks) this.#unwanted.add(lockFromJson(lock));
        },
      });
    } finally {
      this.#unwanted.look();
    }
    return handles;
  }

  async release(
    resourcePath: string,
    agentId: string,
    lockId: string,
    options: CallOptions = {},
  ): Promise<boolean> {
    const named = { resource_path: resourcePath, lock_id: lockId };
    const remote = this.#held.find(resourcePath, lockId);
    const grants = remote?.grants;
    const { answer, repeated } = await this.#releases.make(named, { agent_id: agentId }, options.signal);
    const inHand = this.#held.find(resourcePath, lockId);
    if (inHand !== undefined && inHand === remote && inHand.grants === grants)
      inHand.end(() => wasReleased(resourcePath, agentId, lockId));
    // It was acquired again meanwhile: only the server knows which came first.
    else if (inHand !== undefined) this.#parts.followUps.add(this.#lookAfter(agentId, [inHand]));
    // Whoever finds nothing the second time may have released it the first time, when no answer came.
    return repeated || answer;
  }

  async extend(
    resourcePath: string,
    agentId: string,
    lockId: string,
    ttl?: Duration,
    options: CallOptions = {},
  ): Promise<Lock> {
    if (typeof ttl === "number" && !Number.isFinite(ttl)) throw invalid("ttl", ttl, "a finite duration");
    const named = { resource_path: resourcePath, lock_id: lockId };
    const remote = this.#held.find(resourcePath, lockId);
    const isKnown = remote?.openExtension(spanOf(ttl) ?? remote.lock.ttlMs);
    try {
      const { answer } = await this.#extensions.make(named, { agent_id: agentId, ttl }, options.signal);
      if (answer === undefined)
        throw new LockError("outcome_unknown", "The server answered an extension with no lock.");
      const lock = lockFromJson(answer);
      isKnown?.();
      remote?.prolong(lock);
      return lock;
    } catch (error) {
      this.#notExtended(remote, isKnown, error);
      throw error;
    }
  }

  #notExtended(remote: RemoteLock | undefined, isKnown: (() => void) | undefined, error: unknown): void {
    if (remote === undefined || isKnown === undefined || !(error instanceof LockError)) return;
    // What was aborted or has no answer may yet be carried out, but not for long. Then a look tells.
    if (error.code === "outcome_unknown" || error.code === "aborted")
      this.#parts.clock.after(lateForMs, () => this.#clearUp(remote, isKnown), { background: true });
    else isKnown();
    if (error.code === "lost") remote.lose("it is no longer in force");
  }

  #clearUp(remote: RemoteLock, isKnown: () => void): void {
    if (remote.isOver || this.#parts.calls.isClosed) return;
    this.#parts.followUps.add(this.#lookAfter(remote.lock.agentId, [remote]).then(isKnown));
  }

  async revoke(resourcePath: string, options: ForceReleaseOptions): Promise<readonly Lock[]> {
    const { reason, lockId, by, signal } = options;
    const call: Call = {
      op: "release",
      kind: lockId === undefined ? "once" : "change",
      fields: {
        force: true,
        reason,
        agent_id: by,
        locks: [{ resource_path: resourcePath, lock_id: lockId }],
      },
      signal,
    };
    const { answer } = await this.#parts.calls.make(call, { schema: releasedSchema });
    return (answer.locks ?? []).map(lockFromJson);
  }

  releaseOne({ resourcePath, agentId, lockId }: Lock): Promise<boolean> {
    return this.release(resourcePath, agentId, lockId);
  }

  /** The server knows nothing of this process: what is held has to be looked at before anybody relies on it for longer. */
  lookAfterAll(): void {
    const byAgent = new Map<string, RemoteLock[]>();
    for (const remote of this.#held.all()) {
      const { agentId } = remote.lock;
      const locks = byAgent.get(agentId);
      if (locks === undefined) byAgent.set(agentId, [remote]);
      else locks.push(remote);
    }
    for (const [agentId, locks] of byAgent) {
      for (let first = 0; first < locks.length; first += pathsPerCheck)
        this.#parts.followUps.add(this.#lookAfter(agentId, locks.slice(first, first + pathsPerCheck)));
    }
  }

  async #lookAfter(agentId: string, locks: readonly RemoteLock[]): Promise<void> {
    const before = locks.map(({ lock }) => lock);
    const paths = before.map(({ resourcePath }) => resourcePath);
    const { mine } = await this.#parts.views.check(paths, agentId, {});
    for (const [index, remote] of locks.entries()) {
      const found = mine.find((lock) => isSame(lock, remote.lock));
      if (found === undefined) remote.lose("it is no longer in force");
      // Unless an answer that came meanwhile knows better: an extension may have been carried out after the look.
      else if (remote.lock === before[index]) remote.prolong(found);
    }
  }
}

function isSame(lock: Lock, other: Lock): boolean {
  return lock.lockId === other.lockId && lock.resourcePath === other.resourcePath;
}

/** Of a duration that the server will take. */
function spanOf(ttl: Duration | undefined): number | undefined {
  try {
    return ttl === undefined ? undefined : toMilliseconds("ttl", ttl, { minMs: 0, maxMs: Infinity });
  } catch {
    return undefined;
  }
}

function wasReleased(resourcePath: string, agentId: string, lockId: string): LockError {
  const message = `The lock on ${JSON.stringify(resourcePath)} was released.`;
  return new LockError("lost", message, { resourcePath, agentId, lockId });
}
