/** What an agent holds on the paths it names, for the commands that act on its own locks. */
import type { Lock, LockManager, ResourceState } from "../lock-manager.js";
import type { Call } from "./call.js";
import { CommandError } from "./command-error.js";
import { showPath, whoAndWhy } from "./describe-lock.js";
import { exitCodes } from "./exit-codes.js";
import { exitCodeOf, explainError } from "./explain-error.js";
import { timeUntil } from "./times.js";
import { errorToJson } from "./to-json.js";

/** The agent's lock on the path. @throws CommandError when nobody holds it, or only others do. */
export async function ownLock(call: Call, manager: LockManager, path: string): Promise<Lock> {
  const { agentId } = call;
  const state = await manager.getResource(path);
  const own = state.holders.find((lock) => lock.agentId === agentId);
  if (own !== undefined) return own;
  throw state.holders.length === 0 ? notHeld(state, agentId) : heldByOthers(state, agentId, call.now());
}

function notHeld(state: ResourceState, agentId: string): CommandError {
  return new CommandError("no_such_lock", `"${showPath(state.resourcePath)}" is not locked by anybody.`, [
    `It may have expired. \`engram-lock ls --agent ${agentId}\` shows what this agent holds.`,
  ]);
}

function heldByOthers(state: ResourceState, agentId: string, now: Date): CommandError {
  const holder = state.holders[0];
  const who = holder === undefined ? "another agent" : whoAndWhy(holder);
  const until = holder === undefined ? "" : `; it expires ${timeUntil(holder.expiresAt, now)}`;
  return new CommandError(
    "not_holder",
    `"${showPath(state.resourcePath)}" is not held by ${agentId}, but by ${who}${until}.`,
    holder === undefined
      ? []
      : [`If you are that agent too, say so: --agent '${holder.agentId}'.`, "Otherwise wait for it, or ask."],
  );
}

/** Does each path by itself, so that one failure leaves the others done. The first failure decides the exit code. */
export async function eachPath<T>(
  call: Call,
  paths: readonly string[],
  act: (path: string) => Promise<T>,
): Promise<{ readonly done: readonly T[]; readonly errors: readonly object[]; readonly exitCode: number }> {
  const done: T[] = [];
  const errors: object[] = [];
  let exitCode: number = exitCodes.done;
  for (const path of paths) {
    try {
      done.push(await act(path));
    } catch (error) {
      if (exitCode === exitCodes.done) exitCode = exitCodeOf(error);
      call.out.warn(explainError(error, { now: call.now(), verbose: call.out.verbose }));
      errors.push({ resource_path: path, ...errorToJson(error, call.now()) });
    }
  }
  return { done, errors, exitCode };
}
