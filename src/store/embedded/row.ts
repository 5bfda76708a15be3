/**
 * One row of the log: what one commit changed, as bytes with a checksum.
 *
 * Layout: CRC-32 of the rest, seeded with the row's number (4 bytes, big-endian); then JSON in UTF-8, an array without names.
 */
import { crc32 } from "node:zlib";
import type { Entry, Json, StoreTime } from "../store.js";

export interface Row {
  /** The oldest row that the log still has once this one is in it. */
  readonly oldest: number;
  /** Of the commit, and so of every entry it put. */
  readonly revision: number;
  readonly storeTime: StoreTime;
  /** Entries of removed rows that were still current. They keep their revisions. */
  readonly carried: readonly Entry[];
  readonly put: readonly Entry[];
  readonly removed: readonly string[];
  readonly announced: readonly string[];
}

type RowJson = readonly [
  oldest: number,
  revision: number,
  storeTime: StoreTime,
  carried: readonly (readonly [key: string, revision: number, value: Json])[],
  put: readonly Json[],
  removed: readonly string[],
  announced: readonly string[],
];

const checksumBytes = 4;
/** UTF-8 needs at most so many bytes for one UTF-16 unit. */
const bytesPerUnit = 3;
let scratch = Buffer.allocUnsafeSlow(256 * 1024);

/** The bytes are good until the next call. Throws a `TypeError` when a value is not JSON. */
export function encodeRow(number: number, row: Row): Buffer {
  const flatPut: Json[] = [];
  for (const { key, value } of row.put) flatPut.push(key, value);
  const json = JSON.stringify([
    row.oldest,
    row.revision,
    row.storeTime,
    row.carried.map(({ key, revision, value }) => [key, revision, value]),
    flatPut,
    row.removed,
    row.announced,
  ] satisfies RowJson);
  const most = checksumBytes + json.length * bytesPerUnit;
  if (scratch.length < most) scratch = Buffer.allocUnsafeSlow(most * 2);
  const end = checksumBytes + scratch.write(json, checksumBytes, "utf8");
  scratch.writeUInt32BE(checksum(number, scratch.subarray(checksumBytes, end)), 0);
  return scratch.subarray(0, end);
}

/** `undefined` when the bytes are not what was written as this row. */
export function decodeRow(number: number, bytes: Buffer): Row | undefined {
  if (bytes.length <= checksumBytes) return undefined;
  const body = bytes.subarray(checksumBytes);
  if (bytes.readUInt32BE(0) !== checksum(number, body)) return undefined;
  const json: unknown = JSON.parse(body.toString("utf8"));
  if (!isRowJson(json)) return undefined;
  const [oldest, revision, storeTime, carried, flatPut, removed, announced] = json;
  const put: Entry[] = [];
  for (let at = 0; at < flatPut.length; at += 2) {
    const [key, value] = [flatPut[at], flatPut[at + 1]];
    if (typeof key !== "string" || value === undefined) return undefined;
    put.push({ key, revision, value });
  }
  return {
    oldest,
    revision,
    storeTime,
    carried: carried.map(([key, itsRevision, value]) => ({ key, revision: itsRevision, value })),
    put,
    removed,
    announced,
  };
}

function checksum(number: number, bytes: Buffer): number {
  return crc32(bytes, number >>> 0);
}

/** The checksum vouches for what is inside; this is only against a row of some other program. */
function isRowJson(json: unknown): json is RowJson {
  return Array.isArray(json) && json.length === 7 && json.slice(3).every((part) => Array.isArray(part));
}
