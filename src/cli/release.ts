/** `release PATH...`: gives back the agent's own locks, or ends somebody else's by force. */
import type { Lock } from "../lock-manager.js";
import type { Call } from "./call.js";
import { CommandError } from "./command-error.js";
import { showPath } from "./describe-lock.js";
import { type ForceFlags, forceReleaseEach } from "./force-release.js";
import { eachPath, ownLock } from "./own-locks.js";
import { printable } from "./printable.js";

export type ReleaseFlags = ForceFlags & { readonly mine?: boolean; readonly force?: boolean };

interface Released {
  readonly lock: Lock;
  readonly released: boolean;
}

export async function release(call: Call, flags: ReleaseFlags): Promise<number> {
  if (flags.force === true && flags.mine === true)
    throw new CommandError("usage", "Give --force or --mine, not both.");
  if (flags.force === true) return forceReleaseEach(call, flags);
  if (flags.reason !== undefined || flags.yes === true)
    throw new CommandError("usage", "--reason and --yes belong to --force.");
  if (flags.mine === true && (call.operands.length > 0 || call.behindDashes !== undefined))
    throw new CommandError("usage", "Give paths or --mine, not both.");

  const { agentId } = call;
  const named = flags.mine === true ? undefined : call.paths();
  return call.withManager(agentId, async (manager) => {
    const paths = named ?? (await manager.getAgentLocks(agentId)).map((lock) => lock.resourcePath);
    const { done, errors, exitCode } = await eachPath(call, paths, async (path): Promise<Released> => {
      const lock = await ownLock(call, manager, path);
      return { lock, released: await manager.releaseLock(lock.resourcePath, agentId, lock.lockId) };
    });
    const json = {
      released: done.map(({ lock, released }) => ({
        resource_path: lock.resourcePath,
        lock_id: lock.lockId,
        released,
      })),
      ...(errors.length > 0 && { errors }),
    };
    await call.out.result(json, () => describe(call, done, paths.length === 0));
    return exitCode;
  });
}

function describe(call: Call, done: readonly Released[], nothingHeld: boolean): string {
  if (nothingHeld) return `${printable(call.agentId)} holds nothing.`;
  return done
    .map(({ lock, released }) => {
      const path = call.out.paint.bold(showPath(lock.resourcePath));
      return released ? `${path} released` : `${path} had ended just before`;
    })
    .join("\n");
}
