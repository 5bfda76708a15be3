/** What each call of the wire does. The answers are the bodies of the same calls over HTTP. */
import type { z } from "zod";
import type { AcquiredLock, Lock, LockManager } from "../../lock-manager.js";
import { agentStateToJson } from "../../protocol/agent-state.js";
import { checkResultToJson } from "../../protocol/check.js";
import { listFilter, lockPageToJson } from "../../protocol/list.js";
import { lockToJson } from "../../protocol/lock.js";
import { resourceStateToJson } from "../../protocol/resource-state.js";
import { statsToJson } from "../../protocol/stats.js";
import { parseAs } from "../../protocol/validation.js";
import { callSchemas, type Op } from "../../protocol/wire.js";
import { acquireOptions, sharedWaitOf } from "../acquire-request.js";
import type { Cancellation } from "../cancellation.js";
import { extendLocks } from "../extend-request.js";
import { refuseMixtures, releasedToJson, releaseLocks } from "../release-request.js";
import { required } from "../request-agent.js";
import type { SessionLocks } from "./session-locks.js";
import type { Subscriptions } from "./subscriptions.js";

/** The session that a call came in. */
export interface Caller {
  readonly manager: LockManager;
  readonly subscriptions: Subscriptions;
  readonly locks: SessionLocks;
  /** The agent of a call that names none or this one. @throws LockError `invalid` when it names another than the connection. */
  agent(fromCall: string | undefined): string | undefined;
  /** How a call that waits is called off. */
  cancellation(id: number): Cancellation;
  /** Is told when the lock ends, and gives it back if nobody is left to have it. */
  keep(lock: AcquiredLock, isBound: boolean): void;
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

/** Calls that may wait. */
export const waits: ReadonlySet<unknown> = new Set<Op>(["acquire", "acquire_multiple"]);

export const calls: { readonly [Name in Op]: Run } = {
  acquire: takes(callSchemas.acquire, (caller, call) => {
    const agentId = required(caller.agent(call.agent_id));
    const options = acquireOptions(call, sharedWaitOf(call), caller.cancellation(call.id));
    return granted(caller, call.bound, caller.manager.acquireLock(call.resource_path, agentId, options));
  }),
  acquire_multiple: takes(callSchemas.acquire_multiple, (caller, call) => {
    const agentId = required(caller.agent(call.agent_id));
    const options = acquireOptions(call, sharedWaitOf(call), caller.cancellation(call.id));
    return granted(
      caller,
      call.bound,
      caller.manager.acquireMultipleLocks(call.resource_paths, agentId, options),
    );
  }),
  extend: takes(callSchemas.extend, async (caller, call) => {
    const { manager } = caller;
    return locksJson(manager, await extendLocks(manager, required(caller.agent(call.agent_id)), call));
  }),
  release: takes(callSchemas.release, (caller, call) => {
    refuseMixtures(call);
    const { manager, locks } = caller;
    const releasing = releaseLocks(manager, caller.agent(call.agent_id), call);
    const named = call.force === true ? undefined : call.locks;
    locks.leaving(named);
    return releasing.then(
      (released) => {
        locks.left(named);
        return releasedToJson(released, manager.currentTime());
      },
      (error: unknown) => {
        locks.left(named);
        throw error;
      },
    );
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

/** What an acquire answers. */
function granted(
  caller: Caller,
  isBound: boolean | undefined,
  acquiring: Promise<AcquiredLock | readonly AcquiredLock[]>,
): Promise<object> {
  return acquiring.then((got) => {
    const locks = got instanceof Array ? got : [got];
    for (const lock of locks) caller.keep(lock, isBound === true);
    return locksJson(caller.manager, locks);
  });
}

function locksJson(manager: LockManager, locks: readonly Lock[]): object {
  const now = manager.currentTime();
  return { locks: locks.map((lock) => lockToJson(lock, now)) };
}
