/** Reads: keys and ranges as one snapshot, in one transaction if they fit. */
import type { Entry, Query, Range } from "../store.js";
import { entryOf, type OpAnswer, parseTxn, type TxnAnswer } from "./answers.js";
import type { Footing, FootingKeeper } from "./footing.js";
import type { Gateway } from "./gateway.js";
import type { Keyspace } from "./keyspace.js";
import { EtcdRefusal, outOfRange } from "./refusals.js";
import { mostOperations, type Pages, transaction } from "./transactions.js";

/** Of a snapshot that takes several transactions and was compacted away in between. */
const mostTries = 3;

export interface Snapshot {
  readonly entries: readonly (Entry | undefined)[];
  readonly ranges: readonly (readonly Entry[])[];
  /** 0: nobody has written anything since the namespace was made. */
  readonly revision: number;
}

interface Reading {
  readonly gateway: Gateway;
  readonly keyspace: Keyspace;
  readonly footing: FootingKeeper;
  readonly pages: Pages;
}

/** `undefined`: the base is not as it was known to be. */
export async function readSnapshot(
  { gateway, keyspace, footing, pages }: Reading,
  stand: Footing,
  { keys = [], ranges = [] }: Query,
  signal: AbortSignal | undefined,
): Promise<Snapshot | undefined> {
  const wanted = [
    ...keys.map((key) => `"key":"${keyspace.entry(key)}"`),
    ...ranges.map((range) => rangeText(keyspace, range)),
  ];
  const ask = async (some: readonly string[], revision: string): Promise<TxnAnswer> => {
    const operations = some.map((one) => `{"requestRange":{${one}${revision}}}`).join();
    const body = transaction(keyspace, stand, operations);
    return parseTxn(await gateway.ask("/v3/kv/txn", body, { idempotent: true, signal }));
  };
  const first = await askAll(wanted, ask);
  if (first === undefined) return undefined;
  const { revision, answers } = first;
  const counted = footing.count(stand, revision, false);
  const found = answers.map(({ response_range }) =>
    (response_range?.kvs ?? []).map((kv) => entryOf(keyspace, stand.base, kv)),
  );
  return {
    entries: keys.map((_, place) => found[place]?.[0]),
    ranges: ranges.map((range, place) => pageOf(pages, range, found[keys.length + place] ?? [], counted)),
    revision: revision === stand.baseRevision ? 0 : counted,
  };
}

type Ask = (some: readonly string[], revision: string) => Promise<TxnAnswer>;

async function askAll(
  wanted: readonly string[],
  ask: Ask,
): Promise<{ revision: string; answers: OpAnswer[] } | undefined> {
  for (let tries = 1; ; tries++) {
    try {
      const first = await ask(wanted.slice(0, mostOperations), "");
      if (first.succeeded !== true) return undefined;
      const { revision } = first.header;
      const answers = [...(first.responses ?? [])];
      for (let from = mostOperations; from < wanted.length; from += mostOperations) {
        const more = await ask(wanted.slice(from, from + mostOperations), `,"revision":"${revision}"`);
        if (more.succeeded !== true) return undefined;
        answers.push(...(more.responses ?? []));
      }
      return { revision, answers };
    } catch (error) {
      if (!(error instanceof EtcdRefusal) || error.code !== outOfRange || tries === mostTries) throw error;
    }
  }
}

/** To etcd a limit of 0 is none. */
function rangeText(keyspace: Keyspace, range: Range): string {
  const { from, to } = keyspace.range(range);
  const limit = range.limit === undefined ? "" : `,"limit":"${Math.max(range.limit, 1)}"`;
  return `"key":"${from}","range_end":"${to}"${limit}`;
}

function pageOf(pages: Pages, range: Range, entries: readonly Entry[], revision: number): readonly Entry[] {
  const { limit } = range;
  if (limit === undefined) return entries;
  const page = entries.slice(0, limit);
  const lastKey = page.at(-1)?.key;
  if (page.length === limit && lastKey !== undefined) pages.set(range, { revision, lastKey });
  return page;
}
