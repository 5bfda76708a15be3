/**
 * A map whose entries come and go quickly.
 *
 * V8's maps copy themselves into a fresh table after so many deletions, and each old table keeps a pointer to its successor. Once one of them has been
 * promoted to the old generation, all later ones (and what they hold) look alive to the collector of young objects: short-lived entries then cost more
 * to collect than to make. So a deletion here only empties the entry, and the map is built anew when too many are empty.
 */
export class ChurnMap<Key, Item> {
  #map = new Map<Key, Item | undefined>();
  #empty = 0;

  /** How many entries there are. */
  get size(): number {
    return this.#map.size - this.#empty;
  }

  get(key: Key): Item | undefined {
    return this.#map.get(key);
  }

  has(key: Key): boolean {
    return this.#map.get(key) !== undefined;
  }

  /** True when the key was absent. */
  set(key: Key, item: Item): boolean {
    const { size } = this.#map;
    const wasEmpty = this.#map.get(key) === undefined;
    this.#map.set(key, item);
    if (wasEmpty && this.#map.size === size) this.#empty--;
    return wasEmpty;
  }

  /** True when the key was there. */
  delete(key: Key): boolean {
    if (this.#map.get(key) === undefined) return false;
    this.#map.set(key, undefined);
    this.#empty++;
    if (this.#empty > mostEmpty && this.#empty > this.#map.size / 2) this.#rebuild();
    return true;
  }

  clear(): void {
    this.#map = new Map();
    this.#empty = 0;
  }

  *values(): IterableIterator<Item> {
    for (const item of this.#map.values()) if (item !== undefined) yield item;
  }

  #rebuild(): void {
    const map = new Map<Key, Item | undefined>();
    for (const [key, item] of this.#map) if (item !== undefined) map.set(key, item);
    this.#map = map;
    this.#empty = 0;
  }
}

/** Empty entries kept before the map is built anew: some tens of kilobytes at most. */
const mostEmpty = 1_024;
