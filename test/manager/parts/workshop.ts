/** The parts of one manager as they are put together, on a memory store and a clock that stands still, without the manager around them. */
import { expect, onTestFinished } from "vitest";
import { type AcquireReply, acquire } from "../../../src/core/acquire.js";
import type { Mode, Request, Scope } from "../../../src/core/claim.js";
import { storedPath } from "../../../src/core/resource-path.js";
import type { View } from "../../../src/core/view.js";
import type { LockEvent } from "../../../src/lock-manager.js";
import type { AcquireTerms } from "../../../src/manager/acquire-call.js";
import { assemble, type Parts } from "../../../src/manager/assembly.js";
import { type LockManagerConfig, readConfig } from "../../../src/manager/config.js";
import type { CountedFacts } from "../../../src/manager/event-source.js";
import { hintOf } from "../../../src/manager/hint.js";
import type { Services } from "../../../src/manager/services.js";
import { openMemoryStore } from "../../../src/store/memory/memory-store.js";
import type { StoreTraits } from "../../../src/store/store.js";
import { FaultyStore } from "../../support/faulty-store.js";
import { ManualClock } from "../../support/manual-clock.js";
import { leftovers, watch } from "../stage.js";
import { Caller } from "./caller.js";

/** What an acquire asks for; as much of it as the test is about. */
export interface Wish extends Partial<AcquireTerms> {
  readonly mode?: Mode;
  readonly scope?: Scope;
  readonly ttlMs?: number;
  readonly reason?: string;
}

export class Workshop {
  readonly clock: ManualClock;
  readonly inner: ReturnType<typeof openMemoryStore>;
  readonly store: FaultyStore;
  readonly parts: Parts;
  readonly services: Services;
  /** All events, and what was counted of them, as they came. */
  readonly events: LockEvent[] = [];
  readonly counted: CountedFacts[] = [];
  /** When the store failed, by the local clock. */
  readonly failedAt: number[] = [];
  #ids = 0;

  constructor(config: LockManagerConfig, { beside, name = "here", traits }: Surroundings) {
    this.clock = beside?.clock ?? new ManualClock();
    this.inner = beside?.inner ?? openMemoryStore({ clock: this.clock });
    const onFault = (): unknown => this.failedAt.push(this.clock.monotonic());
    this.store = new FaultyStore(this.inner, { clock: this.clock, onFault });
    Object.assign(this.store.traits, traits);
    this.parts = assemble({
      config: readConfig(config),
      store: this.store,
      ownsStore: false,
      clock: this.clock,
      newId: () => `${name}-${++this.#ids}`,
      random: () => 0.5,
    });
    this.services = this.parts.services;
    this.services.events.countWith({ observe: (facts) => this.counted.push(facts) });
  }

  /** Begins to hear of events, until the test ends. */
  listen(): void {
    const controller = new AbortController();
    onTestFinished(() => controller.abort());
    watch(this.#gather(controller.signal));
  }

  async #gather(signal: AbortSignal): Promise<void> {
    for await (const event of this.services.events.read({ signal }, undefined)) this.events.push(event);
  }

  /** Learns the store's time and hears its hints, as every manager does before anything else. */
  async start(): Promise<void> {
    await this.parts.read({});
    await this.store.subscribe((texts, revision) => this.parts.room.hinted(texts.map(hintOf), revision));
  }

  request(agentId: string, paths: string | readonly string[], wish: Wish = {}): Request {
    const { mode = "exclusive", scope = "resource", ttlMs = 600_000, reason } = wish;
    const claims = [paths].flat().map((path) => {
      return { resource: storedPath(path), lockId: this.services.newId(), ttlMs };
    });
    return { requestId: claims[0]?.lockId ?? "", agentId, mode, scope, claims, reason };
  }

  /** Begins an acquire, and lets it get as far as it gets without time passing. */
  async ask(agentId: string, paths: string | readonly string[], wish: Wish = {}): Promise<Caller> {
    const caller = this.begin(agentId, paths, wish);
    await this.clock.settle();
    return caller;
  }

  begin(agentId: string, paths: string | readonly string[], wish: Wish = {}): Caller {
    const { timeoutMs = 60_000, signal } = wish;
    const caller = new Caller(this.parts, this.request(agentId, paths, wish), { timeoutMs, signal });
    caller.call.start();
    return caller;
  }

  /** Grants a request in the store, of which no caller hears. */
  async grant(request: Request): Promise<void> {
    const { pipeline, limits } = this.services;
    const granted = new Promise<unknown>((resolve, reject) => {
      const plan = (view: View): AcquireReply => acquire(view, request, limits, undefined);
      pipeline.submit({ plan, done: ({ kind }) => resolve(kind), fail: reject });
    });
    expect(await granted).toBe("granted");
  }

  /** Releases what a caller was granted; whoever of this manager gets it is served. */
  async release({ request, locks }: Caller): Promise<void> {
    for (const [index, { resource }] of request.claims.entries()) {
      const lockId = locks[index]?.holder.lockId ?? "";
      const released = this.parts.commands.release({ resource, agentId: request.agentId, lockId });
      released.catch(() => undefined);
    }
    await this.clock.settle();
  }

  /** Who holds a path, and who waits there, by their agents. */
  async standing(path: string): Promise<{ readonly holders: string[]; readonly waiters: string[] }> {
    const { holders, waiters } = await this.parts.inspection.resource(storedPath(path));
    return {
      holders: holders.map(({ agentId }) => agentId),
      waiters: waiters.map(({ agentId }) => agentId),
    };
  }

  /** Everything in the store but the word that a manager lives. */
  leftovers(): Promise<string[]> {
    return leftovers(this.inner);
  }

  get types(): string[] {
    return this.events.map(({ type, agentId }) => `${type} ${agentId}`);
  }
}

interface Surroundings {
  /** Works on its store, by its clock. */
  readonly beside?: Workshop;
  /** What its ids begin with. */
  readonly name?: string;
  readonly traits?: Partial<StoreTraits>;
}

/** A workshop that knows the time of its store. */
export async function workshop(
  config: LockManagerConfig = {},
  surroundings: Surroundings = {},
): Promise<Workshop> {
  const made = new Workshop(config, surroundings);
  await made.start();
  return made;
}
