/** The two configuration files: that of a project and that of a user. */
import { readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { CommandError } from "./command-error.js";

export const projectFolderName = ".engram-lock";

const keys = ["url", "store", "agent"] as const;

/** What a configuration file may say. */
export interface FileSettings {
  readonly path: string;
  readonly url?: string;
  readonly store?: string;
  readonly agent?: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The nearest `.engram-lock/` at or above the folder. */
export function findProjectFolder(from: string): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const candidate = join(folder, projectFolderName);
    if (isFolder(candidate)) return candidate;
    if (dirname(folder) === folder) return undefined;
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  } catch {
    // A folder above that may not be looked into has no project for this user.
    return false;
  }
}

export function userConfigFile(env: Environment): string {
  return join(absoluteOr(env["XDG_CONFIG_HOME"], ".config"), "engram-lock", "config.json");
}

export function userStateFolder(env: Environment): string {
  return join(absoluteOr(env["XDG_STATE_HOME"], ".local/state"), "engram-lock");
}

/** The XDG specification has relative paths ignored. */
function absoluteOr(folder: string | undefined, inHome: string): string {
  return folder?.startsWith("/") ? folder : join(homedir(), inHome);
}

/** @throws CommandError `bad_configuration` when it is there and not right. */
export function readConfigFile(path: string): FileSettings | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR"))
      return undefined;
    throw wrong(path, error instanceof Error ? error.message : String(error));
  }
  return check(path, parse(path, text));
}

function parse(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw wrong(path, `it is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function check(path: string, value: unknown): FileSettings {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw wrong(path, "expected an object");
  const found = new Map<string, string>();
  const entries: [string, unknown][] = Object.entries(value);
  for (const [key, entry] of entries) {
    if (!keys.some((known) => known === key))
      throw wrong(path, `unknown key ${JSON.stringify(key)}: expected ${keys.join(", ")}`);
    if (typeof entry !== "string" || entry === "")
      throw wrong(path, `${JSON.stringify(key)} is ${JSON.stringify(entry)}: expected a text`);
    found.set(key, entry);
  }
  const [url, store, agent] = keys.map((key) => found.get(key));
  if (url !== undefined && store !== undefined)
    throw wrong(path, '"url" and "store" exclude each other: locks are in one place');
  return {
    path,
    ...(url !== undefined && { url }),
    ...(store !== undefined && { store }),
    ...(agent !== undefined && { agent }),
  };
}

function wrong(path: string, what: string): CommandError {
  return new CommandError("bad_configuration", `Cannot use the configuration file "${path}": ${what}.`, [
    `Correct or remove ${path}.`,
  ]);
}
