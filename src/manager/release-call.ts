/** One release, from the call to the answer. A class and not closures, because there is one for each lock that comes and goes. */
import type { Holder } from "../core/records.js";
import { type LockName, type ReleaseReply, release } from "../core/release.js";
import type { View } from "../core/view.js";
import type { HeldLock, HeldLocks } from "./held-locks.js";
import type { Attempts, Commit } from "./job.js";
import { notHolder } from "./refusals.js";
import type { Trip } from "./run.js";
import type { Services } from "./services.js";
import { tellEnded, tellFailed } from "./tell-of-lock.js";

/** The lock was acquired again meanwhile, and stays. */
interface Joined {
  readonly kind: "joined";
}

const joined: Joined = { kind: "joined" };

export interface ReleaseOrder {
  readonly name: LockName;
  readonly signal?: AbortSignal | undefined;
  /** The lock as it was when its agent was told of the loss: nobody asked for its release, so any later acquire keeps it. */
  readonly givenBack?: Holder | undefined;
}

export class ReleaseCall implements Trip<ReleaseReply | Joined, boolean> {
  readonly signal: AbortSignal | undefined;
  readonly #services: Services;
  readonly #locks: HeldLocks;
  readonly #name: LockName;
  readonly #givenBack: Holder | undefined;
  /** The lock, as far as it is in this manager's hands; and how often it was acquired, and is held, when the call began. */
  readonly #held: HeldLock | undefined;
  readonly #grants: number;
  readonly #givenUp: number;
  /** What an attempt was to end. */
  #sent: Holder | undefined = undefined;

  constructor(services: Services, locks: HeldLocks, { name, signal, givenBack }: ReleaseOrder) {
    this.#services = services;
    this.#locks = locks;
    this.#name = name;
    this.signal = signal;
    this.#givenBack = givenBack;
    const held = this.#inHand();
    this.#held = held;
    this.#grants = held?.grants ?? 0;
    this.#givenUp = held?.handles ?? 0;
    if (held === undefined) return;
    held.isLeaving = true;
    held.handles = 0;
  }

  get path(): string {
    return this.#name.resource.path;
  }

  /** The lock of that name, if this manager holds it for that agent. */
  #inHand(): HeldLock | undefined {
    const { lockId, agentId } = this.#name;
    const held = this.#locks.find(this.path, lockId);
    return held?.holder.agentId === agentId ? held : undefined;
  }

  plan(view: View, { conflicts }: Attempts): ReleaseReply | Joined {
    if (this.#isJoined(view)) return joined;
    // Serving a waiter expects much more of the store: once overtaken, the waiter goes by itself.
    const limit = conflicts === 0 ? this.#services.limits.maxLocksPerAgent : undefined;
    const reply = release(view, this.#name, limit);
    if (reply.kind === "released") this.#sent = reply.holder;
    return reply;
  }

  #isJoined(view: View): boolean {
    if (this.#givenBack !== undefined && isJoinedSince(view, this.#name, this.#givenBack)) return true;
    const inHand = this.#inHand();
    return inHand !== undefined && (inHand !== this.#held || inHand.grants > this.#grants);
  }

  answer(reply: ReleaseReply | Joined, { revision, uncertain }: Commit): boolean {
    if (reply.kind === "not holder") throw notHolder("release", this.#name, reply.holder);
    if (reply.kind === "joined") {
      if (this.#held !== undefined) this.#held.isLeaving = false;
      return true;
    }
    this.#locks.released(this.path, this.#name.lockId);
    if (reply.kind === "released") {
      this.#services.room.serve(reply.promoted, revision);
      return true;
    }
    // What an earlier attempt without an answer was to end has ended.
    if (!uncertain || this.#sent === undefined) return false;
    tellEnded(this.#services, "released", this.#name.resource, this.#sent, this.#held?.token);
    return true;
  }

  onError(error: unknown): void {
    if (this.#held !== undefined) {
      this.#held.isLeaving = false;
      this.#held.handles += this.#givenUp;
    }
    tellFailed(this.#services, "release", this.#name, error);
  }
}

/** Also by a call that is planned with this one, and will be told only then. */
function isJoinedSince(view: View, { resource, lockId }: LockName, before: Holder): boolean {
  const holder = view.lock(resource.path)?.holders.find((one) => one.lockId === lockId);
  return holder !== undefined && holder.joined !== before.joined;
}
