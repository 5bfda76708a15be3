/** `ls`: the locks in force, as a table; with --watch again and again. */
import type { CallOptions, ListFilter, Lock, LockManager } from "../lock-manager.js";
import type { Call } from "./call.js";
import { heldFor, modeAndScope, showPath } from "./describe-lock.js";
import { exitCodes } from "./exit-codes.js";
import { printable } from "./printable.js";
import { table } from "./table.js";
import { timeLeft } from "./times.js";
import { lockToJson } from "./to-json.js";
import type { Row } from "./watch-list.js";

export type LsFlags = {
  readonly prefix?: string;
  readonly type?: string;
  readonly mine?: boolean;
  readonly waiting?: boolean;
  readonly expiring?: string;
  readonly watch?: boolean;
};

/** How many resources are looked at at once for their queues. */
const looksAtOnce = 32;
const reasonWidth = 40;

export async function ls(call: Call, flags: LsFlags): Promise<number> {
  const agentId = flags.mine === true ? call.agentId : call.flags.agent;
  const filter: ListFilter = {
    ...(flags.prefix !== undefined && { prefix: flags.prefix }),
    ...(flags.type !== undefined && { resourceType: flags.type }),
    ...(flags.expiring !== undefined && { expiringWithin: flags.expiring }),
    ...(agentId !== undefined && { agentId }),
  };
  const look = async (manager: LockManager, signal?: AbortSignal): Promise<Row[]> => {
    const options = signal === undefined ? {} : { signal };
    const locks = await listAll(manager, { ...filter, ...options });
    return flags.waiting === true ? waitedFor(manager, locks, options) : locks.map((lock) => ({ lock }));
  };
  if (flags.watch === true) {
    const { watchList } = await import("./watch-list.js");
    return watchList(call, { look, describe: (rows, now) => describe(call, rows, now) });
  }
  return call.withManager(call.agentId, async (manager) => {
    const rows = await look(manager);
    const now = call.now();
    const json = {
      locks: rows.map(({ lock, waiters }) => ({ ...lockToJson(lock, now), waiters })),
    };
    await call.out.result(json, () => describe(call, rows, now));
    return exitCodes.done;
  });
}

async function listAll(manager: LockManager, filter: ListFilter): Promise<Lock[]> {
  const locks: Lock[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await manager.listLocks(cursor === undefined ? filter : { ...filter, cursor });
    locks.push(...page.locks);
    if (page.nextCursor === undefined) return locks;
    cursor = page.nextCursor;
  }
}

async function waitedFor(manager: LockManager, locks: readonly Lock[], options: CallOptions): Promise<Row[]> {
  const rows: Row[] = [];
  for (let from = 0; from < locks.length; from += looksAtOnce) {
    const some = locks.slice(from, from + looksAtOnce);
    const states = await Promise.all(some.map((lock) => manager.getResource(lock.resourcePath, options)));
    some.forEach((lock, index) => {
      const waiters = states[index]?.queueLength ?? 0;
      if (waiters > 0) rows.push({ lock, waiters });
    });
  }
  return rows;
}

async function describe(call: Call, rows: readonly Row[], now: Date): Promise<string> {
  const { paint } = call.out;
  if (rows.length === 0) return paint.dim("no locks");
  const withWaiters = rows[0]?.waiters !== undefined;
  return table(
    [
      "RESOURCE PATH",
      "HELD BY",
      "MODE",
      "HELD FOR",
      "EXPIRES",
      ...(withWaiters ? ["WAITING"] : []),
      "TOKEN",
      "REASON",
    ],
    rows.map(({ lock, waiters }) => [
      paint.bold(showPath(lock.resourcePath)),
      printable(lock.agentId, 64),
      modeAndScope(lock),
      heldFor(lock, now),
      timeLeft(lock.expiresAt, now),
      ...(withWaiters ? [String(waiters ?? 0)] : []),
      String(lock.fencingToken),
      printable(lock.reason ?? "", reasonWidth),
    ]),
    paint,
  );
}
