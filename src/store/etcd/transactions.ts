/**
 * Changes as etcd transactions. One transaction carries many changes, each as a transaction within it that has its own comparisons: etcd judges
 * all comparisons of all levels before it writes anything (server/apply.go, `compareToPath`), and the changes of one commit are independent.
 */
import { type Change, type Entry, type Expectation, type Outcome, type Range, StoreError } from "../store.js";
import { entryOf } from "./entries.js";
import type { Footing } from "./footing.js";
import type { Keyspace } from "./keyspace.js";
import {
  type Comparison,
  isOlderThan,
  type Operation,
  type OperationReply,
  put,
  range,
  rangeRequest,
  remove,
  standsAt,
  transaction,
  within,
} from "./messages.js";
import { message } from "./protobuf.js";

/**
 * Of the operations that etcd allows in one transaction, what one change leaves free for its hint, some ranges, and what is around it.
 */
export const reserved = 8;
/** Below etcd's 1.5 MiB (`--max-request-bytes`), with room for what is around the changes. */
const mostBytes = 1_500_000;

/** Changes that go in one transaction. */
export interface Part {
  /** Of the transaction's success branch. */
  readonly operations: readonly Operation[];
  readonly changes: readonly Planned[];
}

export interface Planned {
  readonly change: Change;
  /** Only asks what is found. */
  readonly late: boolean;
}

/** How far a page of a range reached when it was read, and at which revision. */
export type Pages = WeakMap<Range, { readonly revision: number; readonly lastKey: string }>;

interface Surroundings {
  readonly keyspace: Keyspace;
  readonly base: number;
  readonly pages: Pages;
  /** etcd's `--max-txn-ops`: on each way down into a transaction, the longest list of each level counts. */
  readonly mostOperations: number;
}

/** The changes in as many transactions as it takes, in order. */
export function partsOf(around: Surroundings, changes: readonly Planned[]): Part[] {
  const parts: { operations: Operation[]; changes: Planned[] }[] = [];
  let part: (typeof parts)[number] | undefined;
  let longest = 0;
  let bytes = 0;
  for (const planned of changes) {
    let { operation, length } = operationOf(around, planned, part?.changes.length ?? 0);
    longest = Math.max(longest, length);
    bytes += operation.length;
    if (
      part === undefined ||
      part.changes.length + 1 + longest > around.mostOperations ||
      bytes > mostBytes
    ) {
      requireFit(length, around.mostOperations);
      // The first of its transaction.
      if (part !== undefined) ({ operation, length } = operationOf(around, planned, 0));
      [longest, bytes] = [length, operation.length];
      part = { operations: [], changes: [] };
      parts.push(part);
    }
    part.operations.push(operation);
    part.changes.push(planned);
  }
  return parts;
}

function requireFit(length: number, mostOperations: number): void {
  // Beside the two comparisons of the transaction around it.
  const most = mostOperations - 2;
  if (length <= most) return;
  // Worth another try: a manager then commits apart what it has merged into one change.
  throw new StoreError(
    `A change takes ${length} comparisons or operations; this etcd allows ${most} in one transaction (--max-txn-ops; "maxTxnOps" in the URL).`,
    { outcome: "none", retryable: true },
  );
}

/** `ordinal`: the change's place in its transaction, which names its hint: no key may be put twice in one transaction. */
function operationOf(
  around: Surroundings,
  { change, late }: Planned,
  ordinal: number,
): { operation: Operation; length: number } {
  const { keyspace, base } = around;
  const find: Operation[] = [];
  const compare: Comparison[] = [];
  for (const expectation of change.expect) {
    if ("key" in expectation) {
      const key = keyspace.entry(expectation.key);
      find.push(range(rangeRequest({ from: key })));
      compare.push(standsAt(key, etcdRevision(expectation.revision, base)));
    } else compare.push(rangeComparison(around, expectation));
  }
  if (late) return { operation: within(transaction([], find)), length: find.length };
  const write = [
    ...change.put.map(({ key, value }) => put(keyspace.entry(key), JSON.stringify(value))),
    ...change.remove.map((key) => remove(keyspace.entry(key))),
  ];
  if (change.announce.length > 0 || !surelyWrites(change))
    write.push(put(keyspace.hint(ordinal), JSON.stringify(change.announce)));
  return {
    operation: within(transaction(compare, write, find)),
    length: Math.max(compare.length, write.length),
  };
}

/** A revision of before the base is one at which nothing stands, and never will. */
function etcdRevision(revision: number, base: number): number {
  if (revision === 0) return 0;
  return revision > base ? revision - base : Number.MAX_SAFE_INTEGER;
}

/** A transaction that writes nothing gets no revision of its own. */
function surelyWrites({ expect, put: puts, remove: removals }: Change): boolean {
  if (puts.length > 0) return true;
  return removals.some((key) => expect.some((one) => "key" in one && one.key === key && one.revision > 0));
}

/** Of a page that was read it is enough that nothing was written up to its last key. */
function rangeComparison(
  { keyspace, base, pages }: Surroundings,
  { range: asked, unchangedSince }: Exclude<Expectation, { readonly key: string }>,
): Comparison {
  const page = pages.get(asked);
  const interval =
    page?.revision === unchangedSince ? keyspace.upTo(asked, page.lastKey) : keyspace.range(asked);
  return isOlderThan(interval, Math.max(unchangedSince - base, 0) + 1);
}

/** A whole transaction, carried out only while base and fence stand as the handle knows them. */
export function onFooting(
  keyspace: Keyspace,
  { baseRevision, fence }: Footing,
  operations: readonly Operation[],
): Buffer {
  const compare = [standsAt(keyspace.base, baseRevision)];
  if (fence !== undefined) compare.push(standsAt(fence.key, fence.revision));
  return message(...transaction(compare, operations));
}

export function outcomesOf(
  keyspace: Keyspace,
  base: number,
  revision: number,
  changes: readonly Planned[],
  replies: readonly OperationReply[],
): Outcome[] {
  return changes.map(({ change, late }, place): Outcome => {
    const reply = replies[place];
    if (!late && reply?.succeeded) return { applied: true, revision };
    return { applied: false, late, found: foundBy(keyspace, base, change, reply?.replies ?? []) };
  });
}

function foundBy(
  keyspace: Keyspace,
  base: number,
  { expect }: Change,
  replies: readonly OperationReply[],
): (Entry | undefined)[] {
  return expect
    .filter((expectation) => "key" in expectation)
    .map((_, place) => {
      const [kv] = replies[place]?.kvs ?? [];
      return kv && entryOf(keyspace, base, kv);
    });
}
