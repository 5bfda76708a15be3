/**
 * Changes as etcd transactions. One transaction carries many changes, each as a transaction within it that has its own comparisons: etcd judges
 * all comparisons of all levels before it writes anything (server/apply.go, `compareToPath`), and the changes of one commit are independent.
 *
 * The texts are put together by hand, because they are most of the work of a commit and Base64 needs no escaping.
 */
import { type Change, type Entry, type Expectation, type Outcome, type Range, StoreError } from "../store.js";
import { entryOf, type OpAnswer } from "./answers.js";
import type { Footing } from "./footing.js";
import { base64, type Keyspace } from "./keyspace.js";

/** etcd's `--max-txn-ops` when it is not set. On each way down into a transaction, the longest list of each level counts. */
export const mostOperations = 128;
/** Of the longest change: what else goes with it, the hint and some ranges, must fit as well. */
export const maxKeysPerChange = 120;
/** Characters of Base64 and what is around it: well below etcd's 1.5 MiB (`--max-request-bytes`), which counts bytes before encoding. */
const mostCharacters = 1_500_000;

/** Changes that go in one transaction. */
export interface Part {
  /** Of the transaction's success branch. */
  readonly operations: string;
  readonly changes: readonly Planned[];
}

export interface Planned {
  readonly change: Change;
  /** Only asks what is found. */
  readonly late: boolean;
}

interface Operation {
  readonly text: string;
  /** The longest of its lists. */
  readonly length: number;
}

/** How far a page of a range reached when it was read, and at which revision. */
export type Pages = WeakMap<Range, { readonly revision: number; readonly lastKey: string }>;

/** The changes in as many transactions as it takes, in order. */
export function partsOf(keyspace: Keyspace, base: number, pages: Pages, changes: readonly Planned[]): Part[] {
  const parts: { operations: string; changes: Planned[] }[] = [];
  let longest = 0;
  for (const planned of changes) {
    let part = parts.at(-1);
    let operation = operationOf(keyspace, base, pages, planned, part?.changes.length ?? 0);
    if (part !== undefined) {
      longest = Math.max(longest, operation.length);
      const isFull =
        part.changes.length + 1 + longest > mostOperations ||
        part.operations.length + operation.text.length > mostCharacters;
      if (isFull) {
        operation = operationOf(keyspace, base, pages, planned, 0);
        part = undefined;
      }
    }
    if (part === undefined) {
      parts.push({ operations: operation.text, changes: [planned] });
      ({ length: longest } = operation);
      requireFit(operation);
    } else {
      part.operations += `,${operation.text}`;
      part.changes.push(planned);
    }
  }
  return parts;
}

function requireFit({ length }: Operation): void {
  // Beside the two comparisons of the transaction around it.
  const most = mostOperations - 2;
  if (length <= most) return;
  // Worth another try: a manager then commits apart what it has merged into one change.
  throw new StoreError(
    `A change takes ${length} comparisons or operations; etcd allows ${most} in one transaction.`,
    { outcome: "none", retryable: true },
  );
}

/** `ordinal`: the change's place in its transaction, which names its hint: no key may be put twice in one transaction. */
function operationOf(
  keyspace: Keyspace,
  base: number,
  pages: Pages,
  { change, late }: Planned,
  ordinal: number,
): Operation {
  const found: string[] = [];
  const compare: string[] = [];
  for (const expectation of change.expect) {
    if ("key" in expectation) {
      const key = keyspace.entry(expectation.key);
      found.push(`{"requestRange":{"key":"${key}"}}`);
      compare.push(keyComparison(key, expectation.revision, base));
    } else compare.push(rangeComparison(keyspace, base, pages, expectation));
  }
  if (late) return { text: `{"requestTxn":{"success":[${found.join()}]}}`, length: found.length };
  const write: string[] = [];
  for (const { key, value } of change.put)
    write.push(putText(keyspace.entry(key), base64(JSON.stringify(value))));
  for (const key of change.remove) write.push(`{"requestDeleteRange":{"key":"${keyspace.entry(key)}"}}`);
  if (change.announce.length > 0 || !surelyWrites(change))
    write.push(putText(keyspace.hint(ordinal), base64(JSON.stringify(change.announce))));
  const text = `{"requestTxn":{"compare":[${compare.join()}],"success":[${write.join()}],"failure":[${found.join()}]}}`;
  return { text, length: Math.max(compare.length, write.length) };
}

function putText(key: string, value: string): string {
  return `{"requestPut":{"key":"${key}","value":"${value}"}}`;
}

/** A transaction that writes nothing gets no revision of its own. */
function surelyWrites({ expect, put, remove }: Change): boolean {
  if (put.length > 0) return true;
  return remove.some((key) => expect.some((one) => "key" in one && one.key === key && one.revision > 0));
}

/** Without further words, etcd compares the version with 0: the key is absent. */
function keyComparison(key: string, revision: number, base: number): string {
  return revision === 0
    ? `{"key":"${key}"}`
    : `{"key":"${key}","target":"MOD","modRevision":"${revision - base}"}`;
}

/** Of a page that was read it is enough that nothing was written up to its last key. */
function rangeComparison(
  keyspace: Keyspace,
  base: number,
  pages: Pages,
  { range, unchangedSince }: Exclude<Expectation, { readonly key: string }>,
): string {
  const page = pages.get(range);
  const { from, to } =
    page?.revision === unchangedSince ? keyspace.upTo(range, page.lastKey) : keyspace.range(range);
  const next = Math.max(unchangedSince - base, 0) + 1;
  return `{"key":"${from}","range_end":"${to}","target":"MOD","result":"LESS","modRevision":"${next}"}`;
}

/** A whole transaction, carried out only while base and fence stand as the handle knows them. */
export function transaction(
  keyspace: Keyspace,
  { baseRevision, fence }: Footing,
  operations: string,
): string {
  const base = `{"key":"${keyspace.base}","target":"MOD","modRevision":"${baseRevision}"}`;
  const compare =
    fence === undefined
      ? base
      : `${base},{"key":"${fence.key}","target":"MOD","modRevision":"${fence.revision}"}`;
  return `{"compare":[${compare}],"success":[${operations}]}`;
}

export function outcomesOf(
  keyspace: Keyspace,
  base: number,
  revision: number,
  changes: readonly Planned[],
  answers: readonly OpAnswer[],
): Outcome[] {
  return changes.map(({ change, late }, place): Outcome => {
    const answer = answers[place]?.response_txn;
    if (!late && answer?.succeeded) return { applied: true, revision };
    return { applied: false, late, found: foundBy(keyspace, base, change, answer?.responses ?? []) };
  });
}

function foundBy(
  keyspace: Keyspace,
  base: number,
  { expect }: Change,
  answers: readonly OpAnswer[],
): (Entry | undefined)[] {
  return expect
    .filter((expectation) => "key" in expectation)
    .map((_, place) => {
      const [kv] = answers[place]?.response_range?.kvs ?? [];
      return kv && entryOf(keyspace, base, kv);
    });
}
