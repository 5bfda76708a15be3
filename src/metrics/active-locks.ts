/** The locks in force now, asked of the stores at each scrape. */

/** Counts the locks in force in a store. */
export type CountLocks = () => Promise<number>;

export class ActiveLocks {
  /** Who can count the locks of a store: one entry for each manager on it. */
  readonly #countersByStore = new Map<object, Set<CountLocks>>();

  /** Returns how to take it back. */
  add(store: object, count: CountLocks): () => void {
    const counters = this.#countersByStore.get(store) ?? new Set();
    this.#countersByStore.set(store, counters.add(count));
    return () => {
      counters.delete(count);
      if (counters.size === 0 && this.#countersByStore.get(store) === counters) {
        this.#countersByStore.delete(store);
      }
    };
  }

  /** Every store is counted once, however many managers are on it. Undefined when one cannot be counted: part of a sum would mislead. */
  async total(): Promise<number | undefined> {
    const counts = await Promise.all([...this.#countersByStore.values()].map(firstCount));
    return counts.reduce(
      (sum, count) => (sum === undefined || count === undefined ? undefined : sum + count),
      0,
    );
  }
}

async function firstCount(counters: ReadonlySet<CountLocks>): Promise<number | undefined> {
  for (const count of counters) {
    try {
      return await count();
    } catch {
      // A scrape tells all the rest even when a store is away; whoever uses that store is told by its own calls.
    }
  }
  return undefined;
}
