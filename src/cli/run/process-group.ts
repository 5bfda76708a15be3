/** A group of processes, named by the process that leads it: telling it things, and seeing it end. */
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { type Clock, sleep } from "../../clock/clock.js";

const firstLookMs = 5;
const longestLookMs = 50;
/** After SIGKILL only a process inside a system call of the kernel lives on, for instance on a dead network disk. */
const patienceAfterKillMs = 2_000;

/** Nothing happens when the group is gone already. */
export function signalGroup(groupId: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-groupId, signal);
  } catch (error) {
    // EPERM: nothing of it may be signalled, because it runs as somebody else now.
    if (!hasCode(error, "ESRCH") && !hasCode(error, "EPERM")) throw error;
  }
}

/**
 * Asks the group to end, and ends it by SIGKILL when something of it is left after `killAfterMs` (0: at once).
 * Answers whether it is gone.
 */
export async function endGroup(clock: Clock, groupId: number, killAfterMs: number): Promise<boolean> {
  if (killAfterMs > 0) {
    signalGroup(groupId, "SIGTERM");
    // A stopped process gets the signal only once it goes on.
    signalGroup(groupId, "SIGCONT");
    if (await groupEnds(clock, groupId, killAfterMs)) return true;
  }
  signalGroup(groupId, "SIGKILL");
  return groupEnds(clock, groupId, patienceAfterKillMs);
}

/** Looks again and again: there is no event for the end of processes that are not children of this one. */
export async function groupEnds(clock: Clock, groupId: number, withinMs: number): Promise<boolean> {
  const deadline = clock.monotonic() + withinMs;
  for (let pause = firstLookMs; groupIsAlive(groupId); pause = Math.min(pause * 2, longestLookMs)) {
    const left = deadline - clock.monotonic();
    if (left <= 0) return false;
    await sleep(clock, Math.min(pause, left));
  }
  return true;
}

function groupIsAlive(groupId: number): boolean {
  try {
    process.kill(-groupId, 0);
  } catch (error) {
    return !hasCode(error, "ESRCH");
  }
  // Processes that ended and whose parent has not looked, as in containers whose first process never does, count above.
  return process.platform !== "linux" || hasRunningMember(groupId);
}

/** As `proc(5)` has it: behind the name in brackets come the state, the parent and the group. */
function hasRunningMember(groupId: number): boolean {
  return readdirSync("/proc").some((entry) => {
    if (!/^\d+$/.test(entry)) return false;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, "latin1");
      const [state, , group] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return Number(group) === groupId && state !== "Z" && state !== "X";
    } catch {
      // It ended since the folder was read.
      return false;
    }
  });
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
