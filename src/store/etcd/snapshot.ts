/** Reads: keys and ranges as one snapshot, in one transaction if they fit. */
import type { Entry, Query, Range } from "../store.js";
import type { Cluster } from "./cluster.js";
import { entryOf } from "./entries.js";
import type { Footing, FootingKeeper } from "./footing.js";
import type { Keyspace } from "./keyspace.js";
import {
  type OperationReply,
  range as rangeOperation,
  rangeRequest,
  readTransaction,
  type TransactionReply,
} from "./messages.js";
import { EtcdRefusal, outOfRange } from "./refusals.js";
import { onFooting, type Pages } from "./transactions.js";

/** Of a snapshot that takes several transactions and was compacted away in between. */
const mostTries = 3;

export interface Snapshot {
  readonly entries: readonly (Entry | undefined)[];
  readonly ranges: readonly (readonly Entry[])[];
  /** 0: nobody has written anything since the namespace was made. */
  readonly revision: number;
}

interface Reading {
  readonly cluster: Cluster;
  readonly keyspace: Keyspace;
  readonly footing: FootingKeeper;
  readonly pages: Pages;
  readonly mostOperations: number;
}

/** A range request at a revision of etcd's; 0: the present. */
type Wanted = (revision: number) => Buffer;

/** `undefined`: the base is not as it was known to be. */
export async function readSnapshot(
  { cluster, keyspace, footing, pages, mostOperations }: Reading,
  stand: Footing,
  { keys = [], ranges = [] }: Query,
  signal: AbortSignal | undefined,
): Promise<Snapshot | undefined> {
  const wanted: Wanted[] = [
    ...keys.map((key): Wanted => {
      const from = keyspace.entry(key);
      return (revision) => rangeRequest({ from }, { revision });
    }),
    ...ranges.map((range): Wanted => {
      const interval = keyspace.range(range);
      // To etcd a limit of 0 is none.
      const limit = range.limit === undefined ? 0 : Math.max(range.limit, 1);
      return (revision) => rangeRequest(interval, { limit, revision });
    }),
  ];
  const ask: Ask = async (some, revision) => {
    const request = onFooting(
      keyspace,
      stand,
      some.map((one) => rangeOperation(one(revision))),
    );
    return readTransaction(await cluster.ask("etcdserverpb.KV/Txn", request, { idempotent: true, signal }));
  };
  const all = await askAll(wanted, mostOperations, ask);
  if (all === undefined) return undefined;
  const revision = footing.count(stand, all.revision, false);
  const found = all.replies.map(({ kvs }) => kvs.map((kv) => entryOf(keyspace, stand.base, kv)));
  return {
    entries: keys.map((_, place) => found[place]?.[0]),
    ranges: ranges.map((range, place) => pageOf(pages, range, found[keys.length + place] ?? [], revision)),
    revision: all.revision === stand.baseRevision ? 0 : revision,
  };
}

type Ask = (some: readonly Wanted[], revision: number) => Promise<TransactionReply>;

async function askAll(
  wanted: readonly Wanted[],
  mostOperations: number,
  ask: Ask,
): Promise<{ revision: number; replies: readonly OperationReply[] } | undefined> {
  for (let tries = 1; ; tries++) {
    try {
      const first = await ask(wanted.slice(0, mostOperations), 0);
      if (!first.succeeded) return undefined;
      const { revision } = first;
      const replies = [...first.replies];
      for (let from = mostOperations; from < wanted.length; from += mostOperations) {
        const more = await ask(wanted.slice(from, from + mostOperations), revision);
        if (!more.succeeded) return undefined;
        replies.push(...more.replies);
      }
      return { revision, replies };
    } catch (error) {
      if (!(error instanceof EtcdRefusal) || error.code !== outOfRange || tries === mostTries) throw error;
    }
  }
}

function pageOf(pages: Pages, range: Range, entries: readonly Entry[], revision: number): readonly Entry[] {
  const { limit } = range;
  if (limit === undefined) return entries;
  const page = entries.slice(0, limit);
  const lastKey = page.at(-1)?.key;
  if (page.length === limit && lastKey !== undefined) pages.set(range, { revision, lastKey });
  return page;
}
