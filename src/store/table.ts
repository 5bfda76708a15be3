/** The state of a store that is kept in memory: points by key, ranges in order, and the rule by which changes are judged. */
import { ChurnMap } from "../churn-map.js";
import { SortedIndex } from "./sorted-index.js";
import { type Change, type Entry, type Outcome, type Range, StoreError, type StoreTime } from "./store.js";

export class Table {
  readonly #points = new ChurnMap<string, Entry>();
  readonly #index = new SortedIndex(this.#points);
  /** Of the last commit; 0 before the first. Whoever applies a commit sets it. */
  revision = 0;

  get size(): number {
    return this.#points.size;
  }

  get(key: string): Entry | undefined {
    return this.#points.get(key);
  }

  range(range: Range): Entry[] {
    return this.#index.entries(range);
  }

  set(entry: Entry): void {
    if (this.#points.set(entry.key, entry)) this.#index.added(entry.key);
  }

  remove(key: string): void {
    if (this.#points.delete(key)) this.#index.removed();
  }

  apply({ put, remove }: Change, revision: number): void {
    for (const { key, value } of put) this.set({ key, revision, value });
    for (const key of remove) this.remove(key);
    this.revision = revision;
  }

  /** The outcome of a change that may not be applied; `undefined` when all that it expects holds. */
  refuse(change: Change, storeTime: StoreTime): Outcome | undefined {
    const late = change.notAfter !== undefined && storeTime > change.notAfter;
    if (!late && this.#holds(change)) return undefined;
    const found: (Entry | undefined)[] = [];
    for (const expectation of change.expect) {
      if ("key" in expectation) found.push(this.#points.get(expectation.key));
    }
    return { applied: false, late, found };
  }

  #holds({ expect }: Change): boolean {
    for (const expectation of expect) {
      if ("key" in expectation) {
        const entry = this.#points.get(expectation.key);
        if ((entry === undefined ? 0 : entry.revision) !== expectation.revision) return false;
      } else if (!this.#unchanged(expectation.range, expectation.unchangedSince)) return false;
    }
    return true;
  }

  #unchanged(range: Range, since: number): boolean {
    return this.revision <= since || this.range(range).every((entry) => entry.revision <= since);
  }
}

/** The revision of a commit that is applied at this store time, by the rule of the store port. */
export function revisionAfter(last: number, storeTime: StoreTime): number {
  const revision = Math.max(last + 1, Math.floor(storeTime * 1000));
  if (Number.isSafeInteger(revision)) return revision;
  throw new StoreError(
    `Cannot commit: the next revision would be ${revision}, beyond the largest safe integer. Store time is ${storeTime} ms.`,
    { outcome: "none", retryable: false },
  );
}
