/** What is said to the scripts, and what they answer. */
import { compareCodePoints } from "../code-point-order.js";
import type {
  Change,
  CommitReply,
  Entry,
  Expectation,
  Json,
  Outcome,
  Query,
  Range,
  ReadReply,
} from "../store.js";

/** Revisions stand before the values in so many digits, enough for every safe integer. */
const revisionDigits = 16;
const noLimit = "-1";

/** @returns the arguments of the commit script. */
export function commitArguments(channel: string, changes: readonly Change[]): string[] {
  const all = [channel, ""];
  let revisions = "";
  for (const { expect } of changes) {
    for (const expectation of expect) {
      if (!("key" in expectation)) continue;
      all.push(expectation.key);
      revisions += digitsOf(expectation.revision);
    }
  }
  all[1] = `${all.length - 2}`;
  all.push(revisions);
  for (const change of changes) pushChange(change, all);
  return all;
}

/** More than this are not compared with each other, but put and removed as if they had not been expected. */
const mostPairs = 256;

function pushChange({ expect, put, remove, announce, notAfter }: Change, to: string[]): void {
  const mayMeet = expect.length * (put.length + remove.length) <= mostPairs;
  const shape = to.length;
  to.push("");
  let letters = "";
  let ranges = 0;
  for (const expectation of expect) {
    if ("key" in expectation) continue;
    ranges++;
    pushRange(expectation.range, to);
    to.push(`${expectation.unchangedSince}`);
  }
  for (const expectation of expect) {
    if (!("key" in expectation)) continue;
    const { key, revision } = expectation;
    const here = mayMeet ? put.find((one) => one.key === key) : undefined;
    if (here !== undefined) {
      letters += revision === 0 ? "a" : "p";
      to.push(JSON.stringify(here.value));
    } else letters += mayMeet && remove.includes(key) ? "r" : "k";
  }
  for (const { key, value } of put) {
    if (mayMeet && isExpected(key, expect)) continue;
    letters += "P";
    to.push(key, JSON.stringify(value));
  }
  for (const key of remove) {
    if (mayMeet && isExpected(key, expect)) continue;
    letters += "R";
    to.push(key);
  }
  const lists = announce.length > 0 ? 1 : 0;
  if (lists > 0) to.push(JSON.stringify(announce));
  to[shape] = `${letters} ${ranges} ${lists} ${notAfter ?? ""}`;
}

function isExpected(key: string, expect: readonly Expectation[]): boolean {
  return expect.some((one) => "key" in one && one.key === key);
}

/** @returns the arguments of the read script. */
export function readArguments({ keys = [], ranges = [] }: Query): string[] {
  const all = [`${keys.length}`, ...keys];
  for (const range of ranges) pushRange(range, all);
  return all;
}

function pushRange({ prefix, after, limit }: Range, to: string[]): void {
  const begins = after !== undefined && compareCodePoints(after, prefix) >= 0 ? `(${after}` : `[${prefix}`;
  to.push(begins, prefix, limit === undefined ? noLimit : `${limit}`);
}

function digitsOf(revision: number): string {
  return `${revision}`.padStart(revisionDigits, "0");
}

export function commitReply(changes: readonly Change[], answer: unknown): CommitReply {
  const [time, revision, refusals] = listOf(answer, 3);
  const applied: Outcome = { applied: true, revision: Number(revision) };
  const outcomes = changes.map((): Outcome => applied);
  for (const refusal of listOf(refusals)) {
    const [place, late, known] = listOf(refusal);
    const found: (Entry | undefined)[] = [];
    const values = listOf(known);
    for (const one of changes[Number(place) - 1]?.expect ?? []) {
      if ("key" in one) found.push(entryOf(one.key, values[found.length]));
    }
    outcomes[Number(place) - 1] = { applied: false, late: late === 1, found };
  }
  return { outcomes, storeTime: millisecondsOf(time) };
}

export function readReply(query: Query, answer: unknown): ReadReply {
  const [time, revision, values, ranges] = listOf(answer, 4);
  const found = listOf(values);
  return {
    entries: (query.keys ?? []).map((key, n) => entryOf(key, found[n])),
    ranges: listOf(ranges).map(entriesOf),
    revision: Number(revision),
    storeTime: millisecondsOf(time),
  };
}

/** From a list of the keys of a range, and one of their values. */
function entriesOf(range: unknown): Entry[] {
  const [keys, values] = listOf(range).map((list) => listOf(list));
  const entries: Entry[] = [];
  for (const [n, key] of (keys ?? []).entries()) {
    const entry = entryOf(String(key), values?.[n]);
    if (entry !== undefined) entries.push(entry);
  }
  return entries;
}

function entryOf(key: string, text: unknown): Entry | undefined {
  if (typeof text !== "string") return undefined;
  // oxlint-disable-next-line typescript/no-unsafe-assignment -- What `JSON.parse` returns is JSON.
  const value: Json = JSON.parse(text.slice(revisionDigits));
  return { key, revision: Number(text.slice(0, revisionDigits)), value };
}

/** A reply of our own scripts, of so many parts; anything else is a server that is none, or the answer to another question. */
function listOf(answer: unknown, parts?: number): readonly unknown[] {
  if (Array.isArray(answer) && (parts ?? answer.length) === answer.length) return answer;
  throw new TypeError("What answered is no Redis that runs our scripts.");
}

function millisecondsOf(microseconds: unknown): number {
  return Number(microseconds) / 1000;
}
