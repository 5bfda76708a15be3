/** Why the embedded store cannot do what it was asked, in words that say what to do. */
import { statfsSync } from "node:fs";
import { StoreError } from "../store.js";

/** The store cannot be used as it is on disk, or not from here. */
export function refusal(directory: string, why: string, cause?: unknown): StoreError {
  return new StoreError(`Cannot use the embedded store in "${directory}": ${why}.`, {
    outcome: "none",
    retryable: false,
    cause,
  });
}

/** The folder or a file in it cannot be opened, created or written. */
export function unusableFolder(directory: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const reason = reasons.get(codeOf(error)) ?? `the operating system says "${textOf(error)}"`;
  return refusal(directory, reason, error);
}

const reasons = new Map<unknown, string>([
  ["EACCES", "this process may not write there; check the owner and the permissions of the folder"],
  ["EPERM", "this process may not write there; check the owner and the permissions of the folder"],
  ["EROFS", "the file system is mounted read-only"],
  ["ENOSPC", "the disk is full"],
  ["EDQUOT", "the disk quota is used up"],
  ["ENOENT", "it cannot be made there; choose a folder on a disk"],
  ["ENOTDIR", "a part of that path is a file, not a folder"],
  ["EEXIST", "that path is a file, not a folder"],
]);

/** What is known of a commit whose transaction failed. */
export interface FailedCommit {
  readonly error: StoreError;
  /** After a failed flush nothing that was written may be believed, so the store has to be opened anew. */
  readonly poisoned: boolean;
}

/**
 * Judges what LMDB threw. Its codes are its own (negative, lmdb.h) or the system's.
 *
 * A write cut short for lack of space shows as an input/output error as well (mdb.c, `mdb_page_flush`), so the space left
 * decides between the two. When it could not write the page that makes a transaction valid, whatever the reason, LMDB does nothing
 * more with the file (`MDB_PANIC`): then it is not usable any more.
 */
export function failedCommit(
  directory: string,
  error: unknown,
  committing: boolean,
  isUsable: () => boolean,
): FailedCommit {
  if (error instanceof StoreError) return { error, poisoned: false };
  if (!isUsable()) return poisoned(directory, error);
  const code = codeOf(error);
  if (code === mapFull) {
    return aborted(directory, "the database has reached the largest size it was opened for", error);
  }
  if (code === noSpace || code === overQuota) {
    return aborted(directory, "there is no space left on the disk; free some, and try again", error);
  }
  if (!committing) {
    return {
      error: new StoreError(
        `Cannot commit to the embedded store in "${directory}": ${textOf(error)}. Nothing was written.`,
        { outcome: "none", retryable: false, cause: error },
      ),
      poisoned: false,
    };
  }
  if (code === inputOutput && isFull(directory)) {
    return {
      error: new StoreError(
        `Cannot commit to the embedded store in "${directory}": there is no space left on the disk; free some, and try again.`,
        { outcome: "unknown", retryable: true, cause: error },
      ),
      poisoned: false,
    };
  }
  return poisoned(directory, error);
}

function poisoned(directory: string, error: unknown): FailedCommit {
  return {
    error: new StoreError(
      `A write to the embedded store in "${directory}" failed: ${textOf(error)}. It refuses further commits until every process has closed it and opened it again.`,
      { outcome: "unknown", retryable: false, cause: error },
    ),
    poisoned: true,
  };
}

function aborted(directory: string, why: string, cause: unknown): FailedCommit {
  const message = `Cannot commit to the embedded store in "${directory}": ${why}. Nothing was written.`;
  return { error: new StoreError(message, { outcome: "none", retryable: true, cause }), poisoned: false };
}

/** `MDB_MAP_FULL`. */
const mapFull = -30_792;
const inputOutput = 5;
const noSpace = 28;
const overQuota = 122;
/** A commit that fails for lack of space was larger than what is left; few are larger than this. */
const littleSpace = 8 * 1024 * 1024;

function isFull(directory: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize < littleSpace;
  } catch {
    // Not known to be full, so it counts as the worse of the two: a failed flush.
    return false;
  }
}

export function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
