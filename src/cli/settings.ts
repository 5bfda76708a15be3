/** What was set, where: a flag beats the environment, that the project's file, that the user's file, that the default. */
import { dirname, isAbsolute, join, resolve } from "node:path";
import { agentIdOfRun, defaultAgentId } from "./agent-id.js";
import { CommandError } from "./command-error.js";
import {
  type FileSettings,
  findProjectFolder,
  projectFolderName,
  readConfigFile,
  userConfigFile,
  userStateFolder,
} from "./config-file.js";
import type { Place } from "./wiring.js";

/** The flags that every command takes. */
export interface CommonFlags {
  readonly url?: string;
  readonly store?: string;
  readonly agent?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
  readonly color?: boolean;
}

/** Where a setting came from, in the order of precedence. */
type Origin = "flag" | "environment" | "project file" | "user file" | "default";

export interface Setting<T> {
  readonly value: T;
  readonly origin: Origin;
}

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly workingDirectory: string;
}

interface Level {
  readonly origin: Origin;
  readonly url?: string | undefined;
  readonly store?: string | undefined;
  readonly agent?: string | undefined;
  /** What a relative path of a store is relative to. */
  readonly folder: string;
}

/** The place of the locks. */
export function findPlace(flags: CommonFlags, around: Surroundings): Setting<Place> {
  for (const level of levels(flags, around)) {
    const { url, store, origin } = level;
    if (url !== undefined && store !== undefined) throw bothSet(origin);
    if (url !== undefined) return { value: server(url, level), origin };
    if (store !== undefined) return { value: storePlace(store, level.folder), origin };
  }
  const folder = findProjectFolder(around.workingDirectory) ?? userStateFolder(around.env);
  return { value: { kind: "store", url: storeIn(folder) }, origin: "default" };
}

/** The store that a server opens: never another server, and by default one in the working directory. */
export function findServedStore(flags: CommonFlags, around: Surroundings): Setting<string> {
  if (flags.url !== undefined)
    throw new CommandError("usage", "A server has a store: give --store, not --url.");
  for (const level of levels(flags, around)) {
    if (level.store === undefined) continue;
    const place = storePlace(level.store, level.folder);
    if (place.kind === "store") return { value: place.url, origin: level.origin };
    throw new CommandError("bad_configuration", `A server cannot serve another server, "${place.url}".`, [
      "Give --store file:PATH.",
    ]);
  }
  return { value: storeIn(join(around.workingDirectory, projectFolderName)), origin: "default" };
}

export function findAgent(flags: CommonFlags, around: Surroundings): Setting<string> {
  for (const { agent, origin } of levels(flags, around)) {
    if (agent !== undefined) return { value: agent, origin };
  }
  return { value: defaultAgentId(), origin: "default" };
}

/**
 * The agent of one run. Only a flag is taken as it stands: a name in the environment or in a file belongs to many
 * commands, perhaps at once, and two runs under one name would share the lock instead of excluding each other.
 */
export function findAgentOfRun(flags: CommonFlags, around: Surroundings): Setting<string> {
  const { value, origin } = findAgent(flags, around);
  return { value: origin === "flag" ? value : agentIdOfRun(value), origin };
}

/** From the strongest to the weakest. */
function* levels(flags: CommonFlags, { env, workingDirectory }: Surroundings): Generator<Level> {
  yield { origin: "flag", ...flags, folder: workingDirectory };
  yield {
    origin: "environment",
    url: env["ENGRAM_LOCK_URL"] || undefined,
    store: env["ENGRAM_LOCK_STORE"] || undefined,
    agent: env["ENGRAM_LOCK_AGENT"] || undefined,
    folder: workingDirectory,
  };
  const projectFolder = findProjectFolder(workingDirectory);
  if (projectFolder !== undefined) yield* fileLevel("project file", join(projectFolder, "config.json"));
  yield* fileLevel("user file", userConfigFile(env));
}

function* fileLevel(origin: Origin, path: string): Generator<Level> {
  const settings: FileSettings | undefined = readConfigFile(path);
  if (settings !== undefined) yield { origin, ...settings, folder: dirname(path) };
}

function server(url: string, { origin, folder }: Level): Place {
  if (/^https?:\/\/[^/]/.test(url) && URL.canParse(url)) return { kind: "server", url };
  const socket = socketPlace(url, folder);
  if (socket !== undefined) return socket;
  const message = `Invalid url "${url}" (${origin}): expected the address of a server, such as "http://127.0.0.1:7420" or "unix:/run/engram-lock.sock".`;
  throw new CommandError(origin === "flag" ? "usage" : "bad_configuration", message, [
    "For a store that this process opens itself, use --store.",
  ]);
}

/** The place of a server at a unix socket: `unix:PATH`, where others write `unix:///PATH`. */
function socketPlace(url: string, folder: string): Place | undefined {
  const path = /^unix:(?:\/\/(?=\/))?((?!\/\/).+)$/s.exec(url)?.[1];
  return path === undefined ? undefined : { kind: "server", url: `unix:${resolve(folder, path)}` };
}

function storePlace(store: string, folder: string): Place {
  if (/^https?:/.test(store)) return { kind: "server", url: store };
  const socket = socketPlace(store, folder);
  if (socket !== undefined) return socket;
  const path = /^file:(?!\/\/)(.+)$/s.exec(store)?.[1];
  if (path === undefined || isAbsolute(path)) return { kind: "store", url: store };
  return { kind: "store", url: `file:${resolve(folder, path)}` };
}

function storeIn(folder: string): string {
  return `file:${join(folder, "locks")}`;
}

function bothSet(origin: Origin): CommandError {
  return origin === "flag"
    ? new CommandError("usage", "Give --url or --store, not both: locks are in one place.")
    : new CommandError(
        "bad_configuration",
        "ENGRAM_LOCK_URL and ENGRAM_LOCK_STORE are both set: locks are in one place.",
        ["Unset one of them."],
      );
}
