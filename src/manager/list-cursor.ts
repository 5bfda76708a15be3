/** Where a page of the list of locks goes on: behind a lock, which need not exist any more, or behind all locks of a path. */
import { isAtOrBelow, parseResourcePath } from "../core/resource-path.js";
import { invalid } from "../errors.js";
import type { Lock } from "../lock-manager.js";

/** Paths are in byte order, and the locks of one path in the order of their grants, which never changes (I3). */
export interface ListPosition {
  readonly path: string;
  /** Behind this lock of the path; absent: before them all. */
  readonly lock?: Grant;
}

type Grant = Pick<Lock, "fencingToken" | "lockId">;

const lastGrant: Grant = { fencingToken: Number.MAX_SAFE_INTEGER, lockId: "" };

/** Shared locks that were granted in one commit have one token. */
export function byGrant(a: Grant, b: Grant): number {
  if (a.fencingToken !== b.fencingToken) return a.fencingToken - b.fencingToken;
  return a.lockId < b.lockId ? -1 : Number(a.lockId > b.lockId);
}

export function standsAfter(lock: Lock, { path, lock: last }: ListPosition): boolean {
  return lock.resourcePath !== path || last === undefined || byGrant(lock, last) > 0;
}

export function positionAfter({ resourcePath, fencingToken, lockId }: Lock): ListPosition {
  return { path: resourcePath, lock: { fencingToken, lockId } };
}

export function positionBehind(path: string): ListPosition {
  return { path, lock: lastGrant };
}

export function toCursor({ path, lock = lastGrant }: ListPosition): string {
  return Buffer.from(JSON.stringify([path, lock.fencingToken, lock.lockId])).toString("base64url");
}

/** @throws LockError `invalid` for what `toCursor` did not make, or made for a list of other paths. */
export function parseCursor(cursor: unknown, prefix: string): ListPosition {
  const [path, fencingToken, lockId] = partsOf(cursor);
  if (
    isNormalPath(path) &&
    isAtOrBelow(path, prefix) &&
    Number.isSafeInteger(fencingToken) &&
    typeof lockId === "string"
  ) {
    return { path, lock: { fencingToken: Number(fencingToken), lockId } };
  }
  throw invalid("cursor", cursor, "the next cursor of the page before, with the same prefix");
}

function partsOf(cursor: unknown): readonly unknown[] {
  if (typeof cursor !== "string") return [];
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, "base64url").toString());
    return Array.isArray(parts) ? parts : [];
  } catch {
    return [];
  }
}

function isNormalPath(path: unknown): path is string {
  if (typeof path !== "string") return false;
  const parsed = parseResourcePath(path);
  return parsed.ok && parsed.resource.path === path;
}
