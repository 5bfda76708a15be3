/** The files of a store: made whole and linked into place, and opened when nothing is wrong with them. */
import { link, mkdtemp, open, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../clock/clock.js";
import { faultOf } from "./data-file.js";
import { codeOf, refusal } from "./failures.js";
import { NotBegun, openPatiently } from "./lmdb-file.js";
import { Log } from "./log.js";
import { Turnstile } from "./turnstile.js";

export const cardFile = "engram-lock.json";
export const dataFile = "locks.mdb";
export const turnstileFile = "turnstile.mdb";

export function unreadable(error: unknown): string {
  return `it cannot be read (${error instanceof Error ? error.message : String(error)})`;
}

export function damaged(directory: string, fault: string, cause?: unknown): Error {
  return refusal(
    directory,
    `${dataFile} is damaged: ${fault}. Restore it from a backup; or move ${dataFile} and ${cardFile} away to begin without any locks`,
    cause,
  );
}

/** Opens the log, whose file is there. */
export async function openFiles(directory: string, clock: Clock): Promise<Log> {
  const file = join(directory, dataFile);
  const fault = await faultOf(file);
  if (fault !== undefined) throw damaged(directory, fault);
  const turnstile = await openTurnstile(directory, clock);
  const log = await openPatiently(clock, () => new Log(file, turnstile)).catch(async (error: unknown) => {
    await turnstile.close();
    throw error instanceof NotBegun
      ? crowded(directory, error)
      : damaged(directory, unreadable(error), error);
  });
  try {
    log.release();
    log.row(0);
    return log;
  } catch (error) {
    await log.close();
    // The wrapper has no transaction to read in when LMDB gives it none, after ten seconds of trying (read.js, `renewReadTxn`).
    throw error instanceof TypeError
      ? hasDouble(directory, error)
      : damaged(directory, unreadable(error), error);
  }
}

/** LMDB knows its processes by their numbers, which are not unique where some of them have numbers of their own. */
function hasDouble(directory: string, cause: unknown): Error {
  return refusal(
    directory,
    `another process with the number ${process.pid} has it open, perhaps in another container. Open it in one container only, with "engram-lock serve", and reach it with --url from the others; or let them share their process numbers`,
    cause,
  );
}

function crowded(directory: string, cause: NotBegun): Error {
  return refusal(directory, "other processes closed it each time that it was opened. Try again", cause);
}

/** Made anew when it is missing: there is nothing in it. */
async function openTurnstile(directory: string, clock: Clock): Promise<Turnstile> {
  const file = join(directory, turnstileFile);
  if (!(await exists(file))) await make(directory, turnstileFile, makeTurnstile);
  const fault = await faultOf(file);
  if (fault !== undefined) {
    throw refusal(
      directory,
      `${turnstileFile} is damaged: ${fault}. There is nothing of worth in it: delete it when no process has the store open`,
    );
  }
  try {
    return await openPatiently(clock, () => new Turnstile(file));
  } catch (error) {
    throw error instanceof NotBegun ? crowded(directory, error) : error;
  }
}

async function makeTurnstile(file: string): Promise<void> {
  const turnstile = new Turnstile(file);
  turnstile.inscribe(`Keeps processes that open ${dataFile} from those that write to it.`);
  await turnstile.close();
}

/** Safe when several processes do it at once: one of them links its file into place, and all use that one. */
export async function make(
  directory: string,
  name: string,
  write: (file: string) => Promise<void>,
): Promise<void> {
  const workshop = await mkdtemp(join(directory, "creating-"));
  try {
    const made = join(workshop, name);
    await write(made);
    await link(made, join(directory, name)).catch((error: unknown) => {
      if (codeOf(error) !== "EEXIST") throw error;
    });
    await flushFolder(directory);
  } finally {
    await rm(workshop, { recursive: true, force: true });
  }
}

export async function exists(file: string): Promise<boolean> {
  try {
    await stat(file);
    return true;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return false;
    throw error;
  }
}

/** A new name in a folder survives a crash of the machine only when the folder itself was flushed. Windows cannot, and need not. */
export async function flushFolder(directory: string): Promise<void> {
  if (process.platform === "win32") return;
  const folder = await open(directory, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
