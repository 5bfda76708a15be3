/** Who somebody is that did not say so. */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { hostname, userInfo } from "node:os";
import process from "node:process";

/**
 * `user@host/terminal`: the same for every command typed into one terminal, so that `release` gives back what `acquire` took, and another
 * one in the next terminal, so that the two exclude each other. Without a terminal `user@host`.
 */
export function defaultAgentId(): string {
  const terminal = terminalName();
  return `${userName()}@${hostname()}${terminal === undefined ? "" : `/${terminal}`}`;
}

/** An id that no other run has: two runs of one agent must not share a lock. */
export function agentIdOfRun(agentId: string): string {
  return `${agentId}/run-${randomBytes(4).toString("hex")}`;
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // The user id has no entry in the system's list, as in many containers.
    return `uid-${process.getuid?.() ?? "unknown"}`;
  }
}

/** The terminal that controls this process, wherever its input and output go. */
function terminalName(): string | undefined {
  if (process.platform === "win32") return undefined;
  return process.platform === "linux" ? terminalByProc() : terminalByPs();
}

/** Field 7 of `/proc/self/stat`, and its numbers as `proc(5)` and Linux's `devices.txt` give them. */
function terminalByProc(): string | undefined {
  if (!existsSync("/proc/self/stat")) return undefined;
  const stat = readFileSync("/proc/self/stat", "latin1");
  // The second field, the name of the program, may have blanks and brackets in it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const device = Number(fields[4]);
  if (!(device > 0)) return undefined;
  const major = (device >> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >> 12) & 0xfff00);
  if (major >= 136 && major <= 143) return `pts-${minor + (major - 136) * 2 ** 20}`;
  return major === 4 ? `tty-${minor}` : `terminal-${major}-${minor}`;
}

function terminalByPs(): string | undefined {
  const { stdout } = spawnSync("ps", ["-o", "tty=", "-p", String(process.pid)], { encoding: "utf8" });
  const name = stdout?.trim().replace(/^\/dev\//, "") ?? "";
  return /^[\w/.-]+$/.test(name) && !name.startsWith("-") ? name.replaceAll("/", "-") : undefined;
}
