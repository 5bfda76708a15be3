/**
 * Which store a folder holds, so that a file which is not ours, or no longer whole, is never taken for a store without locks.
 *
 * The database is made in a folder of its own and linked into place when it is whole; then a card file says that it exists.
 * From then on a missing, empty or different database is refused. A process that dies in between leaves no card, and the
 * next one writes it from the database it finds.
 */
import { randomUUID } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Clock } from "../../clock/clock.js";
import { codeOf, refusal } from "./failures.js";
import {
  cardFile,
  damaged,
  dataFile,
  exists,
  flushFolder,
  make,
  openFiles,
  turnstileFile,
  unreadable,
} from "./files.js";
import { Log } from "./log.js";
import { Turnstile } from "./turnstile.js";

/** Raised when older programs could not read what this one writes. */
const format = 1;
const note = "identity";

interface Identity {
  readonly program: "engram-lock";
  readonly format: number;
  readonly store: string;
}

/** Makes the folder's store if there is none, and opens its log when everything about it is as it was left. */
export async function openLog(directory: string, clock: Clock): Promise<Log> {
  const card = await readCard(directory);
  if (card !== undefined) requireFormat(directory, cardFile, card);
  if (!(await exists(join(directory, dataFile)))) {
    if (card !== undefined) {
      throw refusal(
        directory,
        `${cardFile} says that it holds a store, but ${dataFile} is missing. Restore it, or delete ${cardFile} to begin without any locks`,
      );
    }
    await make(directory, dataFile, makeLog);
  }
  const log = await openFiles(directory, clock);
  try {
    const identity = log.note(note);
    if (!isIdentity(identity)) {
      throw refusal(
        directory,
        `${dataFile} is an LMDB database, but not one that engram-lock made. Choose another folder`,
      );
    }
    requireFormat(directory, dataFile, identity);
    if (card === undefined) await writeCard(directory, identity);
    else if (card.store !== identity.store) {
      throw refusal(
        directory,
        `${dataFile} belongs to another store than ${cardFile}. Restore both from the same backup`,
      );
    }
    return log;
  } catch (error) {
    await log.close();
    // LMDB's own errors have numbers for codes.
    throw typeof codeOf(error) === "number" ? damaged(directory, unreadable(error), error) : error;
  }
}

async function makeLog(file: string): Promise<void> {
  const log = new Log(file, new Turnstile(join(dirname(file), turnstileFile)));
  const identity: Identity = { program: "engram-lock", format, store: randomUUID() };
  log.transact(() => {
    log.writeNote(note, identity);
    const nothing = { carried: [], put: [], removed: [], announced: [] };
    log.append(1, { oldest: 1, revision: 0, storeTime: 0, ...nothing }, 1);
  });
  await log.close();
}

async function writeCard(directory: string, identity: Identity): Promise<void> {
  const draft = join(directory, `${cardFile}.${randomUUID()}`);
  const text = JSON.stringify({ ...identity, about: `Belongs to ${dataFile}. Keep both, or neither.` });
  await writeFile(draft, `${text}\n`, { flush: true });
  await rename(draft, join(directory, cardFile));
  await flushFolder(directory);
}

async function readCard(directory: string): Promise<Identity | undefined> {
  let text: string;
  try {
    text = await readFile(join(directory, cardFile), "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
  try {
    const card: unknown = JSON.parse(text);
    if (isIdentity(card)) return card;
  } catch {
    // Not even JSON: the same answer.
  }
  throw refusal(directory, `${cardFile} is not readable. Restore it, or choose another folder`);
}

function requireFormat(directory: string, file: string, { format: found }: Identity): void {
  if (found === format) return;
  throw refusal(
    directory,
    `${file} has format ${found}, and this version of engram-lock knows format ${format}. Use the version that made it, or choose another folder`,
  );
}

function isIdentity(json: unknown): json is Identity {
  return (
    typeof json === "object" &&
    json !== null &&
    "program" in json &&
    json.program === "engram-lock" &&
    "format" in json &&
    typeof json.format === "number" &&
    "store" in json &&
    typeof json.store === "string"
  );
}
