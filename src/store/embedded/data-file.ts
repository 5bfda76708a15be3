/**
 * Looks at the database file before LMDB maps it into memory, where a page that is missing would kill the process.
 *
 * Layout of the two first pages, from LMDB's `MDB_page_header` and `MDB_meta` (mdb.c, data version 2), little-endian as on
 * every machine that lmdb has binaries for.
 */
import { type FileHandle, open } from "node:fs/promises";

const magic = 0xbeefc0de;
const dataVersion = 2;
const metaBytes = 168;
const at = {
  pageFlags: 18,
  magic: 24,
  version: 28,
  pageSize: 48,
  root: 136,
  lastPage: 144,
  transaction: 152,
} as const;
const metaPageFlag = 0x08;
const noRoot = 0xffff_ffff_ffff_ffffn;
/** LMDB does not write pages at the end of the file that it allocated and freed in one transaction. */
const mostUnwrittenPages = 256n;

interface Meta {
  readonly pageSize: bigint;
  readonly root: bigint;
  readonly lastPage: bigint;
  readonly transaction: bigint;
}

/** What is wrong with the file, in words; `undefined` when LMDB may open it. */
export async function faultOf(file: string): Promise<string | undefined> {
  const handle = await open(file, "a+");
  try {
    const first = await metaAt(handle, 0n);
    if (first === undefined) {
      return (await handle.stat()).size === 0
        ? "it is empty"
        : "its first page is not that of an LMDB file of a known version";
    }
    const second = await metaAt(handle, first.pageSize);
    if (second === undefined || second.pageSize !== first.pageSize) {
      return `its second page, at byte ${first.pageSize}, is damaged`;
    }
    const newest = second.transaction > first.transaction ? second : first;
    if (newest.root !== noRoot && newest.root > newest.lastPage)
      return "its newest root page is out of range";
    // Not before the pages that it is compared with: another process may be making the file longer.
    const { size } = await handle.stat({ bigint: true });
    const pages = size / newest.pageSize;
    const missing = newest.lastPage + 1n - pages;
    if (missing > mostUnwrittenPages) {
      return `it is truncated: it has ${size} bytes and should have ${(newest.lastPage + 1n) * newest.pageSize}`;
    }
    // Appending cannot overwrite what another process adds meanwhile. Should pages in use be missing, they now read as
    // zeros, which the checksums of the rows find, instead of ending the process.
    if (missing > 0n) await handle.appendFile(Buffer.alloc(Number(missing * newest.pageSize)));
    return undefined;
  } finally {
    await handle.close();
  }
}

async function metaAt(handle: FileHandle, position: bigint): Promise<Meta | undefined> {
  const page = Buffer.alloc(metaBytes);
  const { bytesRead } = await handle.read(page, 0, metaBytes, Number(position));
  if (bytesRead < metaBytes) return undefined;
  const pageSize = page.readUInt32LE(at.pageSize);
  const known =
    (page.readUInt16LE(at.pageFlags) & metaPageFlag) !== 0 &&
    page.readUInt32LE(at.magic) === magic &&
    (page.readUInt32LE(at.version) & 0xffff) === dataVersion &&
    pageSize >= 512 &&
    pageSize <= 65_536 &&
    (pageSize & (pageSize - 1)) === 0;
  if (!known) return undefined;
  return {
    pageSize: BigInt(pageSize),
    root: page.readBigUInt64LE(at.root),
    lastPage: page.readBigUInt64LE(at.lastPage),
    transaction: page.readBigUInt64LE(at.transaction),
  };
}
