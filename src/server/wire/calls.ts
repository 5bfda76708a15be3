/** What each call of the wire does. The answers are the bodies of the same calls over HTTP. */
import type { z } from "zod";
import type { AcquiredLock, CallSignal, Lock, LockManager } from "../../lock-manager.js";
import { agentStateToJson } from "../../protocol/agent-state.js";
import { checkResultToJson } from "../../protocol/check.js";
import { listFilter, lockPageToJson } from "../../protocol/list.js";
import { lockToJson } from "../../protocol/lock.js";
import { resourceStateToJson } from "../../protocol/resource-state.js";
import { statsToJson } from "../../protocol/stats.js";
import { parseAs } from "../../protocol/validation.js";
import { type Call, callSchemas, type Op } from "../../protocol/wire.js";
import { acquireOptions, sharedWaitOf } from "../acquire-request.js";
import { extendLocks } from "../extend-request.js";
import { refuseMixtures, releasedToJson, releaseLocks } from "../release-request.js";
import { required } from "../request-agent.js";
import type { Subscriptions } from "./subscriptions.js";

/** The session that a call came in. */
export interface Caller {
  readonly manager: LockManager;
  /** The agent of a call that names none or this one. @throws LockError `invalid` when it names another than the connection. */
  agent(fromCall: string | undefined): string | undefined;
  /** Acquires for this caller: it can call it off, and is told when a lock is lost. */
  acquire(
    call: Call<"acquire" | "acquire_multiple">,
    acquire: (signal: CallSignal) => Promise<readonly AcquiredLock[]>,
  ): Promise<readonly AcquiredLock[]>;
  /** Locks that this caller releases by itself: their end is no news to it. */
  releasing<T>(lockIds: readonly (string | undefined)[], release: () => Promise<T>): Promise<T>;
  readonly subscriptions: Subscriptions;
  /** Calls an acquire off. False when no such call waits. */
  cancel(id: number): boolean;
}

type Run = (caller: Caller, message: unknown) => object | Promise<object>;

/** A call, taken as its schema wants it. @throws LockError `invalid`. */
function takes<Schema extends z.ZodType>(
  schema: Schema,
  run: (caller: Caller, call: z.output<Schema>) => object | Promise<object>,
): Run {
  return (caller, message) => run(caller, parseAs(schema, message));
}

/** Calls that change nothing, and whose answers may be long. */
export const looks: ReadonlySet<unknown> = new Set<Op>(["check", "list", "resource", "agent", "metrics"]);

export const calls: { readonly [Name in Op]: Run } = {
  acquire: takes(callSchemas.acquire, async (caller, call) => {
    const { manager } = caller;
    const agentId = required(caller.agent(call.agent_id));
    const options = acquireOptions(call, sharedWaitOf(call));
    const locks = await caller.acquire(call, async (signal) => [
      await manager.acquireLock(call.resource_path, agentId, { ...options, signal }),
    ]);
    return locksJson(manager, locks);
  }),
  acquire_multiple: takes(callSchemas.acquire_multiple, async (caller, call) => {
    const { manager } = caller;
    const agentId = required(caller.agent(call.agent_id));
    const options = acquireOptions(call, sharedWaitOf(call));
    const locks = await caller.acquire(call, (signal) =>
      manager.acquireMultipleLocks(call.resource_paths, agentId, { ...options, signal }),
    );
    return locksJson(manager, locks);
  }),
  extend: takes(callSchemas.extend, async (caller, call) => {
    const { manager } = caller;
    return locksJson(manager, await extendLocks(manager, required(caller.agent(call.agent_id)), call));
  }),
  release: takes(callSchemas.release, async (caller, call) => {
    refuseMixtures(call);
    const { manager } = caller;
    const agentId = caller.agent(call.agent_id);
    const lockIds = call.force === true ? [] : (call.locks ?? []).map(({ lock_id }) => lock_id);
    const released = await caller.releasing(lockIds, () => releaseLocks(manager, agentId, call));
    return releasedToJson(released, manager.currentTime());
  }),
  check: takes(callSchemas.check, async (caller, call) => {
    const { manager } = caller;
    const agentId = required(caller.agent(call.agent_id));
    const result = await manager.checkLocks(call.resource_paths, agentId);
    return checkResultToJson(result, manager.currentTime());
  }),
  list: takes(callSchemas.list, async ({ manager }, call) => {
    return lockPageToJson(await manager.listLocks(listFilter(call)), manager.currentTime());
  }),
  resource: takes(callSchemas.resource, async ({ manager }, call) => {
    return resourceStateToJson(await manager.getResource(call.resource_path), manager.currentTime());
  }),
  agent: takes(callSchemas.agent, async (caller, call) => {
    const { manager } = caller;
    const state = await manager.getAgent(required(caller.agent(call.agent_id)));
    return agentStateToJson(state, manager.currentTime());
  }),
  stats: takes(callSchemas.stats, async ({ manager }) => {
    return statsToJson(await manager.getStats(), manager.currentTime());
  }),
  metrics: takes(callSchemas.metrics, async ({ manager }) => {
    return { text: await manager.metrics() };
  }),
  cancel: takes(callSchemas.cancel, (caller, call) => {
    return { cancelled: caller.cancel(call.call) };
  }),
  subscribe: takes(callSchemas.subscribe, ({ subscriptions }, { subscription, ...wanted }) => {
    return { position: subscriptions.open(subscription, wanted) };
  }),
  unsubscribe: takes(callSchemas.unsubscribe, ({ subscriptions }, { subscription }) => {
    return { unsubscribed: subscriptions.close(subscription) };
  }),
  ping: takes(callSchemas.ping, () => {
    return {};
  }),
};

function locksJson(manager: LockManager, locks: readonly Lock[]): object {
  const now = manager.currentTime();
  return { locks: locks.map((lock) => lockToJson(lock, now)) };
}
