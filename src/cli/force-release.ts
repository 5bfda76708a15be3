/** `release --force`: ends locks whoever holds them, after looking twice. */

import process from "node:process";
import { createInterface } from "node:readline/promises";
import type { Lock, LockManager } from "../lock-manager.js";
import type { Call } from "./call.js";
import { CommandError, Interrupted } from "./command-error.js";
import { holderFacts, showPath } from "./describe-lock.js";
import { facts } from "./fact-lines.js";
import { eachPath } from "./own-locks.js";
import { lockToJson } from "./to-json.js";

export type ForceFlags = { readonly reason?: string; readonly yes?: boolean };

export async function forceReleaseEach(call: Call, flags: ForceFlags): Promise<number> {
  const { reason } = flags;
  if (reason === undefined)
    throw new CommandError("usage", "--force needs --reason: the holder is told why.", [
      'For example --reason "runner-3 is gone".',
    ]);
  const paths = call.paths();
  const asks = flags.yes !== true;
  if (asks && !(process.stdin.isTTY && process.stderr.isTTY))
    throw new CommandError("usage", "--force asks first, and there is no terminal to ask on.", [
      "Say --yes if you are sure.",
    ]);

  return call.withManager(call.agentId, async (manager) => {
    const { done, errors, exitCode } = await eachPath(call, paths, async (path) => {
      if (asks) await ask(call, manager, path);
      const ended = await manager.forceRelease(path, { reason, by: call.agentId });
      if (ended.length === 0) throw nothingHeld(path);
      return ended;
    });
    const ended = done.flat();
    const json = {
      released: ended.map((lock) => lockToJson(lock, call.now())),
      ...(errors.length > 0 && { errors }),
    };
    await call.out.result(json, () => describe(call, ended));
    return exitCode;
  });
}

function nothingHeld(path: string): CommandError {
  return new CommandError("no_such_lock", `"${showPath(path)}" is not locked by anybody.`);
}

/** @throws Interrupted unless the person says yes. */
async function ask(call: Call, manager: LockManager, path: string): Promise<void> {
  const { holders, resourcePath } = await manager.getResource(path);
  if (holders.length === 0) throw nothingHeld(path);
  const lines = holders.flatMap((lock) => holderFacts(lock, resourcePath, call.now()));
  call.out.warn([`force-release ${showPath(resourcePath)}?`, ...facts(lines)].join("\n"));
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question("    Its holder may still be at work. Release it? [y/N] ");
    if (!/^y(es)?$/i.test(answer.trim())) throw new Interrupted("SIGINT", "Nothing was released.");
  } finally {
    terminal.close();
  }
}

function describe(call: Call, ended: readonly Lock[]): string {
  return ended
    .map((lock) => `${call.out.paint.bold(showPath(lock.resourcePath))} taken from ${lock.agentId}`)
    .join("\n");
}
