/** `show PATH`: who holds a resource, since when, until when, and who waits. */
import { formatDuration } from "../duration.js";
import type { Lock, ResourceState } from "../lock-manager.js";
import type { Call } from "./call.js";
import { CommandError } from "./command-error.js";
import { describeClaim, holderFacts, modeAndScope, showPath, whoAndWhy } from "./describe-lock.js";
import { exitCodes } from "./exit-codes.js";
import { type Fact, facts } from "./fact-lines.js";
import { table } from "./table.js";
import { timeOfDay } from "./times.js";
import { lockToJson, waiterToJson } from "./to-json.js";

export async function show(call: Call): Promise<number> {
  const [path, ...others] = call.paths();
  if (path === undefined || others.length > 0) throw new CommandError("usage", "Give exactly one path.");
  return call.withManager(call.agentId, async (manager) => {
    const state = await manager.getResource(path);
    await call.out.result(toJson(state, call.now()), () => describe(call, state, call.now()));
    return exitCodes.done;
  });
}

function toJson(state: ResourceState, now: Date): object {
  return {
    resource_path: state.resourcePath,
    held: state.holders.length > 0 || state.coveredBy.length > 0,
    holders: state.holders.map((lock) => lockToJson(lock, now)),
    waiters: state.waiters.map((waiter) => waiterToJson(waiter, now)),
    queue_length: state.queueLength,
    covered_by: state.coveredBy.map((lock) => lockToJson(lock, now)),
    fencing_token:
      state.holders.length === 0 ? null : Math.max(...state.holders.map((lock) => lock.fencingToken)),
  };
}

async function describe(call: Call, state: ResourceState, now: Date): Promise<string> {
  const { paint } = call.out;
  const held = state.holders.length > 0 || state.coveredBy.length > 0;
  const waiting = state.queueLength > 0 ? `, ${state.queueLength} waiting` : "";
  const lines = [
    `${paint.bold(showPath(state.resourcePath))} is ${held ? paint.bad("held") : paint.good("free")}${waiting}`,
    ...facts([...state.holders, ...state.coveredBy].flatMap((lock) => lockFacts(lock, state, now))),
  ];
  if (state.waiters.length > 0) lines.push("", await queue(call, state, now));
  if (state.queueLength > state.waiters.length)
    lines.push(`and ${state.queueLength - state.waiters.length} more`);
  return lines.join("\n");
}

function lockFacts(lock: Lock, state: ResourceState, now: Date): Fact[] {
  const elsewhere = lock.resourcePath !== state.resourcePath;
  return [
    ...holderFacts(lock, state.resourcePath, now),
    ...(elsewhere ? [] : [["mode", describeClaim(lock)] as const]),
    ["lock id", `${lock.lockId}   token ${lock.fencingToken}   ttl ${formatDuration(lock.ttlMs)}`],
  ];
}

function queue(call: Call, state: ResourceState, now: Date): Promise<string> {
  return table(
    ["", "WAITING", "MODE", "SINCE", "FOR", "UNTIL"],
    state.waiters.map((waiter, index) => [
      String(index + 1),
      whoAndWhy(waiter),
      modeAndScope(waiter),
      timeOfDay(waiter.since, now),
      formatDuration(Math.max(0, now.getTime() - waiter.since.getTime())),
      waiter.until === undefined ? "" : timeOfDay(waiter.until, now),
    ]),
    call.out.paint,
  );
}
