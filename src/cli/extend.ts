/** `extend PATH...`: sets the expiry of the agent's own locks to now + ttl. */
import type { Call } from "./call.js";
import { showPath } from "./describe-lock.js";
import { eachPath, ownLock } from "./own-locks.js";
import { table } from "./table.js";
import { timeUntil } from "./times.js";
import { lockToJson } from "./to-json.js";

export type ExtendFlags = { readonly ttl?: string };

export async function extend(call: Call, { ttl }: ExtendFlags): Promise<number> {
  const paths = call.paths();
  return call.withManager(call.agentId, async (manager) => {
    const { done, errors, exitCode } = await eachPath(call, paths, async (path) => {
      const { resourcePath, agentId, lockId } = await ownLock(call, manager, path);
      return manager.extendLock(resourcePath, agentId, lockId, ttl);
    });
    const now = call.now();
    const json = {
      locks: done.map((lock) => lockToJson(lock, now)),
      ...(errors.length > 0 && { errors }),
    };
    await call.out.result(json, () =>
      done.length === 0
        ? ""
        : table(
            ["RESOURCE PATH", "TOKEN", "EXPIRES"],
            done.map((lock) => [
              call.out.paint.bold(showPath(lock.resourcePath)),
              String(lock.fencingToken),
              timeUntil(lock.expiresAt, now),
            ]),
            call.out.paint,
          ),
    );
    return exitCode;
  });
}
