/** The folder of a store: there, on a disk of this machine, and still the same later. */

import { randomUUID } from "node:crypto";
import { type BigIntStats, existsSync, statSync, writeFileSync } from "node:fs";
import { mkdir, realpath, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { refusal, unusableFolder } from "./failures.js";
import { dataFile, turnstileFile } from "./files.js";

/** Linux `f_type` of file systems that other machines write to as well: statfs(2), linux/magic.h. */
const networkFileSystems = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xff53_4d42, "CIFS"],
  [0xfe53_4d42, "SMB2"],
  [0x00c3_6400, "Ceph"],
  [0x5346_414f, "AFS"],
  [0x6b41_4653, "AFS"],
  [0x7375_7245, "Coda"],
  [0x0bd0_0bd0, "Lustre"],
]);

/** Makes the folder if need be, and returns the one path that all names of it lead to. */
export async function settleFolder(directory: string): Promise<string> {
  try {
    await makeFolder(directory);
    const path = await realpath(directory);
    if (process.platform === "linux") requireLocal(path, (await statfs(path)).type);
    return path;
  } catch (error) {
    throw unusableFolder(directory, error);
  }
}

/** Not `mkdir` with `recursive`: where folders can neither be found nor made, as in /proc, Node tries again for ever. */
async function makeFolder(directory: string): Promise<void> {
  if (isFolder(directory)) return;
  const parent = dirname(directory);
  if (parent !== directory && !existsSync(parent)) await makeFolder(parent);
  try {
    await mkdir(directory);
  } catch (error) {
    // Another process may have been faster.
    if (!isFolder(directory)) throw error;
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** LMDB's lock and its memory map hold only among processes of one machine. */
export function requireLocal(directory: string, fileSystemType: number): void {
  const name = networkFileSystems.get(fileSystemType >>> 0);
  if (name === undefined) return;
  throw refusal(
    directory,
    `it is on a network file system (${name}), where several machines would overwrite each other's locks. Use a local disk, or a store that is made for a network`,
  );
}

/**
 * The mark of a failed flush. Whoever opened the store before the mark was made, or made anew, has to open it again.
 *
 * The mark is a file of its own because a database that could not be flushed cannot be trusted to keep it. Should the mark
 * not reach the disk either, then neither does it outlive the machine, and with the machine all processes are gone.
 */
const markFile = "failed-flush";

/** LMDB makes a lock file anew when it is missing: two processes with one each know nothing of each other's commits. */
const dataFiles = [dataFile, `${dataFile}-lock`];
const turnstileFiles = [turnstileFile, `${turnstileFile}-lock`];

interface Watched {
  readonly name: string;
  readonly path: string;
  readonly seen: BigIntStats | undefined;
}

export class FolderWatch {
  readonly #directory: string;
  readonly #data: readonly Watched[];
  readonly #turnstile: readonly Watched[];
  readonly #mark: Watched;

  constructor(directory: string) {
    const watch = (name: string): Watched => {
      const path = join(directory, name);
      return { name, path, seen: lookAt(path) };
    };
    this.#directory = directory;
    this.#data = dataFiles.map(watch);
    this.#turnstile = turnstileFiles.map(watch);
    this.#mark = watch(markFile);
  }

  /** Throws when the store is no longer the one that was opened. */
  requireSameData(): void {
    this.#requireSame(this.#data);
  }

  /** Throws as well when processes that open the store would come in through another turnstile, or a flush has failed since. */
  requireUnchanged(): void {
    this.requireSameData();
    this.#requireSame(this.#turnstile);
    if (!same(this.#mark.seen, lookAt(this.#mark.path), "mtimeNs")) {
      throw refusal(
        this.#directory,
        "a process failed to flush its writes to disk. Every process has to close the store and open it again",
      );
    }
  }

  #requireSame(files: readonly Watched[]): void {
    for (const { name, path, seen } of files) {
      if (same(seen, lookAt(path))) continue;
      throw refusal(this.#directory, `${name} was deleted or replaced while it was open. Open it again`);
    }
  }

  markFailedFlush(): void {
    try {
      writeFileSync(this.#mark.path, randomUUID());
    } catch {
      // This process knows anyway; a disk that takes not even this mark fails the others' commits as well.
    }
  }
}

function lookAt(file: string): BigIntStats | undefined {
  return statSync(file, { bigint: true, throwIfNoEntry: false });
}

function same(a: BigIntStats | undefined, b: BigIntStats | undefined, also?: "mtimeNs"): boolean {
  return a?.ino === b?.ino && a?.dev === b?.dev && (also === undefined || a?.[also] === b?.[also]);
}
