/** `check PATH...`: says of each path whether it is free, mine or held by others. Never queues. */

import process from "node:process";
import { buffer } from "node:stream/consumers";
import type { CheckResult, LockManager } from "../lock-manager.js";
import type { Call } from "./call.js";
import { CommandError } from "./command-error.js";
import { showPath } from "./describe-lock.js";
import { exitCodes } from "./exit-codes.js";
import { conflictFacts } from "./explain-error.js";
import { facts } from "./fact-lines.js";
import { timeUntil } from "./times.js";
import { conflictToJson, lockToJson } from "./to-json.js";

export type CheckFlags = { readonly stdin0?: boolean };

/** As many as the lock manager looks at in one snapshot. */
const pathsPerCall = 200;

export async function check(call: Call, flags: CheckFlags): Promise<number> {
  const paths = flags.stdin0 === true ? [...call.operands, ...(await pathsOfStdin())] : call.paths();
  return call.withManager(call.agentId, async (manager) => {
    const result = await checkAll(manager, paths, call.agentId);
    const now = call.now();
    const json = {
      mine: result.mine.map((lock) => lockToJson(lock, now)),
      theirs: result.theirs.map(({ resourcePath, conflicts }) => ({
        resource_path: resourcePath,
        conflicts: conflicts.map((conflict) => conflictToJson(conflict, now)),
      })),
      free: result.free,
    };
    await call.out.result(json, () => describe(call, result, now));
    return result.theirs.length === 0 ? exitCodes.done : exitCodes.held;
  });
}

async function pathsOfStdin(): Promise<string[]> {
  const text = new TextDecoder("utf-8", { fatal: true });
  try {
    return text
      .decode(await buffer(process.stdin))
      .split("\0")
      .filter((path) => path !== "");
  } catch (cause) {
    throw new CommandError("usage", "Cannot read paths from stdin: they are not UTF-8.", [], { cause });
  }
}

async function checkAll(
  manager: LockManager,
  paths: readonly string[],
  agentId: string,
): Promise<CheckResult> {
  const parts: CheckResult[] = [];
  for (let from = 0; from < paths.length; from += pathsPerCall)
    parts.push(await manager.checkLocks(paths.slice(from, from + pathsPerCall), agentId));
  return {
    mine: parts.flatMap((part) => part.mine),
    theirs: parts.flatMap((part) => part.theirs),
    free: parts.flatMap((part) => part.free),
  };
}

function describe(call: Call, { mine, theirs, free }: CheckResult, now: Date): string {
  const { good, bad, bold } = call.out.paint;
  return [
    ...theirs.flatMap(({ resourcePath, conflicts }) => [
      `${bad("held")}  ${bold(showPath(resourcePath))}`,
      ...facts(conflicts.slice(0, 1).flatMap((conflict) => conflictFacts(conflict, resourcePath, now))),
    ]),
    ...mine.map((lock) => {
      const until = timeUntil(lock.expiresAt, now);
      return `${good("mine")}  ${bold(showPath(lock.resourcePath))}   expires ${until}`;
    }),
    ...free.map((path) => `${good("free")}  ${bold(showPath(path))}`),
  ].join("\n");
}
