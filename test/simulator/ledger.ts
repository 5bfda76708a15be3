/** What the agents asked for and what they were told: the other side of the truth. */
import type { AcquiredLock, AcquireOptions, Mode, Scope } from "../../src/lock-manager.js";
import type { SimulatedProcess } from "./process.js";
import type { Region } from "./region.js";

/** One acquire. */
export interface Call {
  readonly process: SimulatedProcess;
  readonly agentId: string;
  readonly paths: readonly string[];
  readonly mode: Mode;
  readonly scope: Scope;
  readonly options: AcquireOptions;
  readonly abort: AbortController;
  readonly startedAt: number;
  /** The store's revision when it began. */
  readonly since: number;
  readonly timeoutMs: number;
  state: "pending" | "granted" | "refused";
  /** Virtual time of the answer. */
  answeredAt: number;
}

/** A lock in the hands of an agent. */
export interface Handle {
  readonly process: SimulatedProcess;
  readonly lock: AcquiredLock;
  /** Looked at once: to look again would make the manager look too. */
  readonly signal: AbortSignal;
  /** The agent gives it back, or has. */
  isLeaving: boolean;
}

interface Revocation {
  readonly path: string;
  /** The revision after which it can do nothing any more, with what is under way. */
  until: number;
}

export class Ledger {
  readonly calls = new Set<Call>();
  readonly handles = new Set<Handle>();
  readonly handlesOf = new Map<string, Handle[]>();
  /** By the lock ids that were made when they began. */
  readonly callOf = new Map<string, Call>();
  /** Lock ids that somebody gives back. */
  readonly leaving = new Set<string>();
  /** Lock ids that a manager extends by itself. */
  readonly extending = new Set<string>();
  private readonly touches = new Map<string, { at: number; times: number }>();
  private readonly wishes = new Set<string>();
  private readonly revocations: Revocation[] = [];

  /** Answers about a lock that come at the same time are about one commit. */
  touched(lockId: string, now: number): void {
    const last = this.touches.get(lockId);
    if (last?.at === now) last.times++;
    else this.touches.set(lockId, { at: now, times: 1 });
  }

  isCrowded(lockId: string, now: number): boolean {
    const last = this.touches.get(lockId);
    return last?.at === now && last.times > 1;
  }

  begin(call: Call, lockIds: readonly string[]): void {
    this.calls.add(call);
    for (const lockId of lockIds) this.callOf.set(lockId, call);
    for (const path of call.paths) this.wishes.add(wish(call.process.name, { ...call, path }));
  }

  /** Whether the process that makes such ids was ever asked for this by that agent. */
  wasAskedFor(lockId: string, region: Region): boolean {
    return this.wishes.has(wish(lockId.slice(0, lockId.lastIndexOf(".")), region));
  }

  take(handle: Handle): void {
    const { lockId } = handle.lock;
    this.handles.add(handle);
    const others = this.handlesOf.get(lockId);
    if (others === undefined) this.handlesOf.set(lockId, [handle]);
    else others.push(handle);
  }

  drop(handle: Handle): void {
    handle.isLeaving = true;
    this.handles.delete(handle);
  }

  /** How many calls were granted it so far. */
  timesGranted(lockId: string): number {
    return this.handlesOf.get(lockId)?.length ?? 0;
  }

  /** All handles at once, in all processes. */
  leave(lockId: string): void {
    this.leaving.add(lockId);
    for (const handle of this.handlesOf.get(lockId) ?? []) this.drop(handle);
  }

  revoking(path: string): Revocation {
    const revocation = { path, until: Infinity };
    this.revocations.push(revocation);
    return revocation;
  }

  mayBeRevoked(path: string, revision: number): boolean {
    return this.revocations.some((one) => one.path === path && revision <= one.until);
  }
}

function wish(process: string, { agentId, path, mode, scope }: Region): string {
  return `${process} ${agentId} ${path} ${mode} ${scope}`;
}
