/** A stage for plain examples: entries, a time and one manager; every command is planned and applied in one step. */
import { type AcquireReply, acquire } from "../../src/core/acquire.js";
import type { Mode, Request, Scope } from "../../src/core/claim.js";
import { type Edge, findCycle } from "../../src/core/deadlock.js";
import type { Limits } from "../../src/core/grant.js";
import type { Happening } from "../../src/core/happening.js";
import { lockKey, managerKey, placeOfWaitKey, queueOf } from "../../src/core/keys.js";
import { type PromoteReply, promote, type WithdrawReply, withdraw } from "../../src/core/promote.js";
import type { Holder, WaitRecord } from "../../src/core/records.js";
import {
  type ExpireReply,
  type ExtendReply,
  expire,
  extend,
  type ReleaseReply,
  type RevokeReply,
  release,
  revoke,
} from "../../src/core/release.js";
import { parseResourcePath, type ResourcePath } from "../../src/core/resource-path.js";
import type { View } from "../../src/core/view.js";
import { Entries, MapView } from "./map-view.js";

export interface Ask {
  readonly mode?: Mode;
  readonly scope?: Scope;
  readonly ttlMs?: number;
  /** How long it may wait; absent: not at all. */
  readonly waitMs?: number;
}

/** A request with where it stands, as its manager remembers it. */
export interface Asked {
  readonly request: Request;
  readonly reply: AcquireReply;
}

export function resource(path: string): ResourcePath {
  const parsed = parseResourcePath(path);
  if (!parsed.ok) throw new Error(`${path}: ${parsed.allowed}`);
  return parsed.resource;
}

export class Stage {
  readonly entries = new Entries();
  /** Everything told so far, in order. */
  readonly told: Happening[] = [];
  /** What the latest change announced. */
  announced: readonly string[] = [];
  now = 1_000_000;
  /** How far `earliest` and `latest` lie from the true store time. */
  uncertainty = 0;
  managerId = "m1";
  limits: Limits = { maxLocksPerAgent: 100, maxWaitersPerAgent: 1000, maxWaitersPerResource: 10_000 };
  private nextId = 1;

  request(agentId: string, paths: string | readonly string[], ask: Ask = {}): Request {
    const id = this.nextId++;
    const all = typeof paths === "string" ? [paths] : paths;
    return {
      requestId: `r${id}`,
      agentId,
      mode: ask.mode ?? "exclusive",
      scope: ask.scope ?? "resource",
      claims: all.map((path, index) => ({
        resource: resource(path),
        lockId: all.length === 1 ? `L${id}` : `L${id}.${index + 1}`,
        ttlMs: ask.ttlMs ?? 30_000,
      })),
    };
  }

  view(unknown?: ReadonlySet<string>): MapView {
    const { now, uncertainty, managerId } = this;
    return new MapView(
      this.entries,
      { earliest: now - uncertainty, latest: now + uncertainty, managerId },
      unknown,
    );
  }

  /** Plans and applies. */
  run<Reply>(plan: (view: View) => Reply, unknown?: ReadonlySet<string>): Reply {
    const view = this.view(unknown);
    const reply = plan(view);
    const revision = this.entries.apply(view, this.now);
    if (revision === undefined) throw new Error("A plan over the present did not apply.");
    this.announced = view.announced;
    for (const one of view.told) this.told.push(one.token === 0 ? { ...one, token: revision } : one);
    return reply;
  }

  ask(request: Request, waitMs?: number): Asked {
    const wait = waitMs === undefined ? undefined : { until: waitMs === Infinity ? null : this.now + waitMs };
    return { request, reply: this.run((view) => acquire(view, request, this.limits, wait)) };
  }

  acquire(agentId: string, paths: string | readonly string[], ask: Ask = {}): Asked {
    return this.ask(this.request(agentId, paths, ask), ask.waitMs);
  }

  /** An acquire that must be granted. */
  hold(agentId: string, paths: string | readonly string[], ask: Ask = {}): Request {
    const { request, reply } = this.acquire(agentId, paths, ask);
    if (reply.kind !== "granted") throw new Error(`${agentId} was not granted but ${reply.kind}`);
    return request;
  }

  /** An acquire that must be queued. */
  queue(agentId: string, paths: string | readonly string[], ask: Ask = {}): Waiting {
    const { request, reply } = this.acquire(agentId, paths, { waitMs: Infinity, ...ask });
    if (reply.kind !== "queued") throw new Error(`${agentId} was not queued but ${reply.kind}`);
    return { request, places: reply.places };
  }

  promote({ request, places }: Waiting): PromoteReply {
    return this.run((view) => promote(view, request, places, this.limits));
  }

  /** A waiter whose turn it must be. */
  promoted(waiting: Waiting): Request {
    const { kind } = this.promote(waiting);
    if (kind !== "granted") throw new Error(`${waiting.request.agentId} was not granted but ${kind}`);
    return waiting.request;
  }

  withdraw({ request, places }: Waiting, cause = "aborted"): WithdrawReply {
    return this.run((view) => withdraw(view, request, places, cause));
  }

  cycle({ request, places }: Waiting): readonly Edge[] | undefined {
    return findCycle(this.view(), request, places);
  }

  release({ agentId, claims }: Request, as: { agentId?: string; lockId?: string } = {}): ReleaseReply {
    const claim = claims[0]!;
    const name = { resource: claim.resource, agentId, lockId: claim.lockId, ...as };
    return this.run((view) => release(view, name, this.limits.maxLocksPerAgent));
  }

  extend(
    { agentId, claims }: Request,
    ttlMs?: number,
    as: { agentId?: string; lockId?: string } = {},
  ): ExtendReply {
    const claim = claims[0]!;
    const name = { resource: claim.resource, agentId, lockId: claim.lockId, ...as };
    return this.run((view) => extend(view, name, ttlMs));
  }

  revoke(path: string, order: { lockId?: string; by?: string } = {}): RevokeReply {
    return this.run((view) =>
      revoke(view, resource(path), { reason: "stuck", ...order }, this.limits.maxLocksPerAgent),
    );
  }

  expire(path: string, cause: "timer" | "sweep" = "timer"): ExpireReply {
    return this.run((view) => expire(view, resource(path), cause, this.limits.maxLocksPerAgent));
  }

  /** Runs commands as another manager process, which is alive unless it was given an expiry in the past. */
  as<Result>(managerId: string, act: () => Result, expiresAt = Infinity): Result {
    const before = this.managerId;
    this.run((view) => view.put(managerKey(managerId), { expiresAt: Math.min(expiresAt, this.now + 1e9) }));
    this.managerId = managerId;
    const result = act();
    this.managerId = before;
    return result;
  }

  holders(path: string): readonly Holder[] {
    return this.view().lock(path)?.holders ?? [];
  }

  /** Who holds the path, with tokens written out: `ann 3`, `bob shared 5`. */
  held(path: string): string[] {
    const revision = this.entries.at(lockKey(path))?.revision ?? 0;
    return this.holders(path).map((holder) => {
      const words = [holder.mode === "shared" ? "shared" : "", holder.scope === "tree" ? "tree" : ""];
      return [holder.agentId, ...words, holder.token === 0 ? revision : holder.token]
        .filter(Boolean)
        .join(" ");
    });
  }

  /** Who waits for the path, in the order of the queue. */
  waiting(path: string): string[] {
    return this.view()
      .range(queueOf(path))
      .filter((found) => placeOfWaitKey(found.key).path === path)
      .map((found) => (found.value as WaitRecord).agentId);
  }

  counts(agentId: string): { locks: number; waits: number } {
    return this.view().agent(agentId);
  }

  happened(): string[] {
    return this.told.map((one) => `${one.agentId} ${one.type} ${one.path}`);
  }
}

export interface Waiting {
  readonly request: Request;
  readonly places: readonly number[];
}
