/** The report of a run: one JSON object that says who failed. */
import { closeSync, openSync, writeSync } from "node:fs";
import { LockError } from "../../errors.js";
import { CommandError, Interrupted } from "../command-error.js";
import { errorToJson } from "../to-json.js";
import type { Taken } from "../wish.js";
import { CannotStart, type Ending } from "./child.js";

/** What is known of a run; grows while it runs. */
export interface RunRecord {
  agentId: string;
  resourcePaths: readonly string[];
  taken?: Taken;
  heldMs?: number;
  pid?: number;
  ending?: Ending;
  /** Why a lock was lost. */
  loss?: unknown;
  /** True when the command was ended because of that. */
  stopped: boolean;
  /** Whether the locks were given back; absent when there were none. */
  released?: boolean;
  /** What kept the command from running. */
  error?: unknown;
}

export interface Report {
  write(record: RunRecord, exitCode: number, now: Date): void;
}

/** Opens the file before anything is locked: a report that cannot be written is better known early. */
export function openReport(file: string | undefined): Report | undefined {
  if (file === undefined) return undefined;
  let descriptor: number;
  try {
    descriptor = openSync(file, "w");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CommandError("usage", `Cannot write the report "${file}": ${why}.`, [], { cause });
  }
  return {
    write(record, exitCode, now) {
      writeSync(descriptor, `${JSON.stringify(reportOf(record, exitCode, now))}\n`);
      closeSync(descriptor);
    },
  };
}

function reportOf(record: RunRecord, exitCode: number, now: Date): object {
  const { taken, ending, error, loss } = record;
  return {
    failed: whoFailed(record),
    exit_code: exitCode,
    agent_id: record.agentId,
    resource_paths: record.resourcePaths,
    locks: (taken?.locks ?? []).map((lock) => ({
      resource_path: lock.resourcePath,
      lock_id: lock.lockId,
      fencing_token: lock.fencingToken,
    })),
    waited_ms: taken?.waitedMs ?? waitedInVain(error),
    held_ms: record.heldMs ?? null,
    child:
      record.pid === undefined
        ? null
        : { pid: record.pid, exit_code: ending?.exitCode ?? null, signal: ending?.signal ?? null },
    stopped: record.stopped,
    lost: loss === undefined ? null : errorToJson(loss, now),
    released: record.released ?? null,
    error: error === undefined ? null : errorToJson(error, now),
  };
}

function waitedInVain(error: unknown): number | null {
  const waitedMs = error instanceof LockError ? error.facts.waitedMs : undefined;
  return waitedMs === undefined ? null : Math.round(waitedMs);
}

/** `lock`: refused or lost. `start`: the command could not be started. `child`: the command ended with a failure of its own. */
function whoFailed({
  error,
  stopped,
  ending,
}: RunRecord): "lock" | "store" | "start" | "child" | "interrupted" | "usage" | "bug" | null {
  if (stopped) return "lock";
  if (error instanceof LockError) {
    switch (error.family) {
      case "refused":
      case "lost":
        return "lock";
      case "failed":
        return "store";
      case "misused":
        return "usage";
    }
  }
  if (error instanceof CannotStart) return "start";
  if (error instanceof Interrupted) return "interrupted";
  if (error instanceof CommandError) return error.code === "unreachable" ? "store" : "usage";
  if (error !== undefined) return "bug";
  return ending === undefined || ending.exitCode === 0 ? null : "child";
}
