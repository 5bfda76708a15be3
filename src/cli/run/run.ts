/** `run PATH... -- CMD ARGS`: runs a command while it holds locks. */
import { toMilliseconds } from "../../duration.js";
import { LockError } from "../../errors.js";
import type { LockManager } from "../../lock-manager.js";
import type { Call } from "../call.js";
import { CommandError } from "../command-error.js";
import { exitCodes } from "../exit-codes.js";
import { exitCodeOf, explainError } from "../explain-error.js";
import { type Interruption, interruptible } from "../interruption.js";
import { findAgentOfRun } from "../settings.js";
import { giveBack, takeLocks } from "../take-locks.js";
import { type TakeFlags, type Wish, wishOf } from "../wish.js";
import { CannotStart, type CommandLine } from "./child.js";
import { openReport, type RunRecord } from "./report.js";
import { type RunRules, supervise } from "./supervise.js";

export type RunFlags = TakeFlags & {
  readonly onLost: RunRules["onLost"];
  readonly killAfter: string;
  readonly conflictExitCode?: string;
  readonly report?: string;
  readonly shell?: string;
};

export async function run(call: Call, flags: RunFlags): Promise<number> {
  const command = commandOf(call, flags);
  const rules: RunRules = {
    command,
    onLost: flags.onLost,
    killAfterMs: toMilliseconds("--kill-after", flags.killAfter, { minMs: 0, maxMs: 86_400_000 }),
  };
  const conflictExitCode = exitCodeFlag(flags.conflictExitCode);
  const agentId = findAgentOfRun(call.flags, call.around).value;
  const wish = wishOf(flags, { paths: pathsOf(call), agentId, autoExtend: true });
  const report = openReport(flags.report);

  const record: RunRecord = { agentId, resourcePaths: wish.paths, stopped: false };
  const exitCode = await interruptible((interruption) =>
    call.withManager(agentId, (manager) => runUnderLocks(call, manager, interruption, wish, rules, record)),
  ).catch((error: unknown) => {
    record.error = error;
    call.out.warn(explainFailure(call, error));
    if (error instanceof CannotStart) return error.exitCode;
    const refused = error instanceof LockError && error.family === "refused";
    return refused ? (conflictExitCode ?? error.exitCode) : exitCodeOf(error);
  });
  report?.write(record, exitCode, call.now());
  return exitCode;
}

async function runUnderLocks(
  call: Call,
  manager: LockManager,
  interruption: Interruption,
  wish: Wish,
  rules: RunRules,
  record: RunRecord,
): Promise<number> {
  const taken = await takeLocks(call, manager, wish, interruption.signal);
  const { clock } = call.wiring;
  const since = clock.monotonic();
  record.taken = taken;
  try {
    await supervise(call, manager, interruption, taken, rules, record);
  } finally {
    record.heldMs = Math.round(clock.monotonic() - since);
    record.released = await giveBack(taken).catch((error: unknown) => {
      // The command has run, so its exit code stands; what could not be given back expires.
      call.out.warn(`could not give back the lock, which will expire: ${explainFailure(call, error)}`);
      return false;
    });
  }
  return record.stopped ? exitCodes.lost : (record.ending?.exitCode ?? exitCodes.bug);
}

function explainFailure(call: Call, error: unknown): string {
  if (error instanceof CannotStart) return error.message;
  return explainError(error, { now: call.now(), verbose: call.out.verbose });
}

function commandOf(call: Call, flags: RunFlags): CommandLine {
  if (call.out.json)
    throw new CommandError("usage", "`run` leaves stdout to its command, so it has no --json.", [
      "Use --report FILE.",
    ]);
  const [file, ...args] = call.behindDashes ?? [];
  if (flags.shell !== undefined) {
    if (file !== undefined) throw new CommandError("usage", "Give --shell or a command behind --, not both.");
    return { file: "/bin/sh", args: ["-c", flags.shell] };
  }
  if (file === undefined)
    throw new CommandError("usage", "Which command? Give it behind --.", [
      "For example: engram-lock run /deploy/prod -- ./deploy.sh",
    ]);
  return { file, args };
}

function pathsOf(call: Call): readonly string[] {
  if (call.operands.length > 0) return call.operands;
  throw new CommandError("usage", "Which resource? Give at least one path before --.");
}

function exitCodeFlag(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const code = Number(value);
  if (/^\d{1,3}$/.test(value) && code <= 255) return code;
  throw new CommandError(
    "usage",
    `Invalid --conflict-exit-code "${value}": expected a number from 0 to 255.`,
  );
}
