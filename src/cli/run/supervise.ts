/** Runs a command under locks: signals reach it, and it never outlives them. */
import { formatDuration } from "../../duration.js";
import type { LockManager } from "../../lock-manager.js";
import type { Call } from "../call.js";
import { explainError } from "../explain-error.js";
import type { Interruption } from "../interruption.js";
import type { Taken } from "../wish.js";
import { type CommandLine, startChild } from "./child.js";
import { guardLocks, type Loss } from "./lock-guard.js";
import { endGroup, groupEnds } from "./process-group.js";
import type { RunRecord } from "./report.js";
import { relaySignals } from "./signal-relay.js";

export interface RunRules {
  readonly command: CommandLine;
  /** When a lock is lost: end the command in order, end it at once, or say so and let it go on. */
  readonly onLost: "term" | "kill" | "warn";
  readonly killAfterMs: number;
}

/** What a command started and did not wait for, such as a `tee`, may finish by itself. */
const leftoverGraceMs = 250;

/** Resolves when nothing of the command is left; `record` then says how it went. @throws CannotStart */
export async function supervise(
  call: Call,
  manager: LockManager,
  interruption: Interruption,
  taken: Taken,
  rules: RunRules,
  record: RunRecord,
): Promise<void> {
  const { clock } = call.wiring;
  const relay = relaySignals(interruption, () => {
    Promise.all(taken.locks.map((lock) => lock.extend())).then(
      () => relay.pass("SIGCONT"),
      (error: unknown) => onLoss({ error, safeForMs: 0 }),
    );
  });
  let stopGuard = (): void => {};
  let stopping: Promise<boolean> | undefined;
  const onLoss = (loss: Loss): void => {
    if (record.loss !== undefined) return;
    record.loss = loss.error;
    const over = record.ending !== undefined;
    const ends = rules.onLost !== "warn" || over;
    record.stopped = ends && !over;
    tellLoss(call, rules, loss, over);
    if (ends && record.pid !== undefined)
      stopping = endGroup(clock, record.pid, killAfter(rules, taken, loss));
  };
  try {
    const child = await startChild(rules.command, { ...call.around.env, ...environmentOf(taken) });
    record.pid = child.pid;
    relay.connect(child.pid);
    stopGuard = guardLocks({ manager, clock }, taken.locks, marginOf(rules, taken), onLoss);
    record.ending = await child.ended;
    const gone =
      stopping === undefined
        ? (await groupEnds(clock, child.pid, leftoverGraceMs)) ||
          (await endGroup(clock, child.pid, rules.killAfterMs))
        : await stopping;
    if (!gone) call.out.warn(`something of process group ${child.pid} could not be ended`);
  } finally {
    relay.stop();
    stopGuard();
  }
}

/** One line for each path, in the order asked: no path has a line break in it. */
function environmentOf({ locks }: Taken): Record<string, string> {
  const lines = (values: readonly (string | number)[]): string => values.join("\n");
  return {
    ENGRAM_LOCK_ID: lines(locks.map((lock) => lock.lockId)),
    ENGRAM_LOCK_FENCING_TOKEN: lines(locks.map((lock) => lock.fencingToken)),
    ENGRAM_LOCK_PATH: lines(locks.map((lock) => lock.resourcePath)),
  };
}

/**
 * How long before the expiry the command is ended. A lock that the manager, which extends at a third of the ttl, could not extend
 * for another third is given up: what is left of it, at most `--kill-after`, is for the command to end in order. SIGKILL comes so much
 * before the expiry that a late timer does no harm.
 */
function marginOf(rules: RunRules, taken: Taken): number {
  if (rules.onLost === "warn") return 0;
  const orderly = rules.onLost === "term" ? Math.min(rules.killAfterMs, shortestTtl(taken) / 3) : 0;
  return Math.max(orderly, slackOf(taken));
}

function slackOf(taken: Taken): number {
  return Math.min(250, shortestTtl(taken) / 10);
}

function shortestTtl({ locks }: Taken): number {
  return Math.min(...locks.map((lock) => lock.ttlMs));
}

/** A lock that is gone cannot be protected any more, so then the command gets the time it was promised. */
function killAfter(rules: RunRules, taken: Taken, { safeForMs }: Loss): number {
  if (rules.onLost === "kill") return 0;
  if (safeForMs === 0) return rules.killAfterMs;
  return Math.max(0, Math.min(rules.killAfterMs, safeForMs - slackOf(taken)));
}

function tellLoss(call: Call, rules: RunRules, loss: Loss, over: boolean): void {
  const then = over
    ? "the command has ended already"
    : {
        term: `ending the command (SIGTERM, SIGKILL after ${formatDuration(rules.killAfterMs)} at the latest)`,
        kill: "ending the command (SIGKILL)",
        warn: "the command goes on without it",
      }[rules.onLost];
  const words = explainError(loss.error, { now: call.now(), verbose: call.out.verbose });
  call.out.warn(`lock lost: ${then}\n    ${words}`);
}
