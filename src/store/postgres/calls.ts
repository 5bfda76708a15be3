/** The two calls to the database: what is sent, and what the answer says. */
import type { Change, CommitReply, Entry, Json, Outcome, Query, Range, ReadReply } from "../store.js";
import { boolArray, int4Array, int8Array, textArray } from "./arrays.js";
import { type KeySpan, keySpan } from "./key-span.js";

/** Where the adapter is in the database. */
export interface Home {
  /** A quoted identifier. */
  readonly schema: string;
  readonly namespace: string;
  /** Where hints are sent. */
  readonly channel: string;
}

/** One statement to send. */
export interface Call {
  readonly text: string;
  readonly values: readonly (Buffer | string | number)[];
}

/** The row that a call returns. */
export type Row = readonly unknown[];

export interface Timed<Reply> {
  readonly reply: Reply;
  /** Store time, in microseconds. */
  readonly timeUs: number;
}

const noLimit = Number.MAX_SAFE_INTEGER;

function span(
  range: Range,
  lists: { from: string[]; past: boolean[]; to: KeySpan["pastLast"][]; most: number[] },
): void {
  const { first, isPast, pastLast } = keySpan(range);
  lists.from.push(first);
  lists.past.push(isPast);
  lists.to.push(pastLast);
  lists.most.push(range.limit ?? noLimit);
}

/** `floorUs`: store time is at least this. */
export function commitCall(
  { schema, namespace, channel }: Home,
  floorUs: number,
  changes: readonly Change[],
): Call {
  const expected: { change: number[]; key: string[]; revision: number[] } = {
    change: [],
    key: [],
    revision: [],
  };
  const ranges = { change: [] as number[], from: [], past: [], to: [], most: [], since: [] as number[] };
  const puts: { change: number[]; key: string[]; value: string[] } = { change: [], key: [], value: [] };
  const removals: { change: number[]; key: string[] } = { change: [], key: [] };
  const announced: { change: number[]; text: string[] } = { change: [], text: [] };
  const notAfter: number[] = [];
  let number = 0;
  for (const change of changes) {
    number++;
    notAfter.push(lastMoment(change));
    for (const expectation of change.expect) {
      if ("key" in expectation) {
        expected.change.push(number);
        expected.key.push(expectation.key);
        expected.revision.push(expectation.revision);
      } else {
        ranges.change.push(number);
        ranges.since.push(expectation.unchangedSince);
        span(expectation.range, ranges);
      }
    }
    for (const { key, value } of change.put) {
      puts.change.push(number);
      puts.key.push(key);
      puts.value.push(JSON.stringify(value));
    }
    for (const key of change.remove) {
      removals.change.push(number);
      removals.key.push(key);
    }
    for (const text of change.announce) {
      announced.change.push(number);
      announced.text.push(text);
    }
  }
  return {
    text: commitText(schema),
    values: [
      namespace,
      channel,
      floorUs,
      int8Array(notAfter),
      int4Array(expected.change),
      textArray(expected.key),
      int8Array(expected.revision),
      int4Array(ranges.change),
      textArray(ranges.from),
      boolArray(ranges.past),
      textArray(ranges.to),
      int8Array(ranges.most),
      int8Array(ranges.since),
      int4Array(puts.change),
      textArray(puts.key),
      textArray(puts.value),
      int4Array(removals.change),
      textArray(removals.key),
      int4Array(announced.change),
      textArray(announced.text),
    ],
  };
}

function commitText(schema: string): string {
  return `call ${schema}.commit($1::text, $2::text, $3::int8, $4::int8[],
    $5::int4[], $6::text[], $7::int8[],
    $8::int4[], $9::text[], $10::bool[], $11::text[], $12::int8[], $13::int8[],
    $14::int4[], $15::text[], $16::text[], $17::int4[], $18::text[], $19::int4[], $20::text[],
    null, null, null, null)`;
}

/** In microseconds, as the database compares it. */
function lastMoment({ notAfter = Infinity }: Change): number {
  return Math.max(-noLimit, Math.min(noLimit, Math.floor(notAfter * 1000)));
}

export function commitReply(
  [revision, time, refused, found]: Row,
  changes: readonly Change[],
): Timed<CommitReply> {
  const timeUs = Number(time);
  const applied: Outcome = { applied: true, revision: Number(revision) };
  const refusals = new Set<unknown>(Array.isArray(refused) ? refused : []);
  if (refusals.size === 0) {
    return { reply: { outcomes: changes.map(() => applied), storeTime: timeUs / 1000 }, timeUs };
  }
  const standing = new Map(standings(found));
  const outcomes: Outcome[] = [];
  let place = 0;
  for (const [index, change] of changes.entries()) {
    const entries: (Entry | undefined)[] = [];
    for (const expectation of change.expect) {
      if (!("key" in expectation)) continue;
      const stands = standing.get(++place);
      entries.push(stands && { key: expectation.key, ...stands });
    }
    outcomes.push(
      refusals.has(index + 1)
        ? { applied: false, late: timeUs > lastMoment(change), found: entries }
        : applied,
    );
  }
  return { reply: { outcomes, storeTime: timeUs / 1000 }, timeUs };
}

export function readCall({ schema, namespace }: Home, floorUs: number, query: Query): Call {
  const ranges = { from: [], past: [], to: [], most: [] as number[] };
  for (const range of query.ranges ?? []) span(range, ranges);
  return {
    text: `call ${schema}.read($1::text, $2::int8, $3::text[], $4::text[], $5::bool[], $6::text[], $7::int8[], null, null, null, null)`,
    values: [
      namespace,
      floorUs,
      textArray(query.keys ?? []),
      textArray(ranges.from),
      boolArray(ranges.past),
      textArray(ranges.to),
      int8Array(ranges.most),
    ],
  };
}

export function readReply([revision, time, entries, ranges]: Row, query: Query): Timed<ReadReply> {
  const timeUs = Number(time);
  const standing = new Map(standings(entries));
  const found: Entry[][] = (query.ranges ?? []).map(() => []);
  for (const [place, key, at, value] of inRanges(ranges)) {
    found[place - 1]?.push({ key, revision: at, value });
  }
  const reply: ReadReply = {
    entries: (query.keys ?? []).map((key, index) => {
      const stands = standing.get(index + 1);
      return stands && { key, ...stands };
    }),
    ranges: found,
    revision: Number(revision),
    storeTime: timeUs / 1000,
  };
  return { reply, timeUs };
}

/** What stands at the key of this place, counted from 1, in the list of keys asked for. */
type Standing = readonly [place: number, revision: number, value: Json];
/** An entry of the range of this place, counted from 1. */
type InRange = readonly [place: number, key: string, revision: number, value: Json];

function standings(text: unknown): [number, Omit<Entry, "key">][] {
  return listIn(text)
    .filter((item): item is Standing => Array.isArray(item) && item.length === 3)
    .map(([place, revision, value]) => [place, { revision, value }]);
}

function inRanges(text: unknown): InRange[] {
  return listIn(text).filter((item): item is InRange => Array.isArray(item) && item.length === 4);
}

/** A list in JSON, in which values are as they were put. Revisions are safe integers, which JSON carries exactly. */
function listIn(text: unknown): readonly unknown[] {
  const list: unknown = typeof text === "string" ? JSON.parse(text) : [];
  return Array.isArray(list) ? list : [];
}
