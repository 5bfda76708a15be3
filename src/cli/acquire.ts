/** `acquire PATH...`: takes locks, prints them, and leaves them in place for their ttl. */
import { LockError } from "../errors.js";
import type { Call } from "./call.js";
import { showPath } from "./describe-lock.js";
import { exitCodes } from "./exit-codes.js";
import { anyAborted, interruptible } from "./interruption.js";
import { table } from "./table.js";
import { giveBack, takeLocks } from "./take-locks.js";
import { timeSince, timeUntil } from "./times.js";
import { lockToJson } from "./to-json.js";
import { type TakeFlags, type Taken, wishOf } from "./wish.js";

export type AcquireFlags = TakeFlags & { readonly hold?: boolean };

export async function acquire(call: Call, flags: AcquireFlags): Promise<number> {
  const { agentId } = call;
  const wish = wishOf(flags, { paths: call.paths(), agentId, autoExtend: flags.hold === true });
  return call.withManager(agentId, (manager) =>
    interruptible(async ({ signal }) => {
      const taken = await takeLocks(call, manager, wish, signal);
      await print(call, taken);
      return flags.hold === true ? hold(call, taken, signal) : exitCodes.done;
    }),
  );
}

async function print(call: Call, { locks, joined, waitedMs }: Taken): Promise<void> {
  const now = call.now();
  const json = { locks: locks.map((lock) => lockToJson(lock, now)), waited_ms: waitedMs };
  await call.out.result(json, () =>
    table(
      ["RESOURCE PATH", "LOCK ID", "TOKEN", "EXPIRES"],
      locks.map((lock) => [
        call.out.paint.bold(showPath(lock.resourcePath)),
        lock.lockId,
        String(lock.fencingToken),
        timeUntil(lock.expiresAt, now),
      ]),
      call.out.paint,
    ),
  );
  for (const lock of locks) {
    if (!joined.has(lock.lockId)) continue;
    const since = timeSince(lock.acquiredAt, now);
    call.out.note(`${showPath(lock.resourcePath)} was held by this agent already, since ${since}`);
  }
}

/** Until a signal comes, which is how this is meant to end, or a lock is lost. */
async function hold(call: Call, taken: Taken, signal: AbortSignal): Promise<number> {
  call.out.note("holding until Ctrl-C or SIGTERM");
  await anyAborted([signal, ...taken.locks.map((lock) => lock.signal)]);
  const lost = taken.locks.find((lock) => lock.signal.aborted);
  await giveBack(taken);
  if (lost !== undefined) {
    const reason: unknown = lost.signal.reason;
    throw reason instanceof Error ? reason : new LockError("lost", `Lost "${lost.resourcePath}".`);
  }
  call.out.note(`released ${taken.locks.map((lock) => showPath(lock.resourcePath)).join(", ")}`);
  return exitCodes.done;
}
