/**
 * A map whose entries come and go quickly.
 *
 * V8's maps copy themselves into a fresh table after so many deletions, and each old table keeps a pointer to its successor. Once one of them has been
 * promoted to the old generation, all later ones (and what they hold) look alive to the collector of young objects: short-lived entries then cost more
 * to collect than to make. So a deletion here only empties the entry, and the map is built anew when too many are empty.
 */
export class ChurnMap<Key, Item> {
  #slots = new Map<Key, Slot<Item>>();
  #empty = 0;

  /** How many entries there are. */
  get size(): number {
    return this.#slots.size - this.#empty;
  }

  get(key: Key): Item | undefined {
    return this.#slots.get(key)?.item;
  }

  has(key: Key): boolean {
    return this.#slots.get(key)?.item !== undefined;
  }

  /** True when the key was absent. */
  set(key: Key, item: Item): boolean {
    const slot = this.#slots.get(key);
    if (slot === undefined) {
      this.#slots.set(key, { item });
      return true;
    }
    const wasEmpty = slot.item === undefined;
    if (wasEmpty) this.#empty--;
    slot.item = item;
    return wasEmpty;
  }

  /** True when the key was there. */
  delete(key: Key): boolean {
    const slot = this.#slots.get(key);
    if (slot?.item === undefined) return false;
    slot.item = undefined;
    this.#empty++;
    if (this.#empty > mostEmpty && this.#empty > this.#slots.size / 2) this.#rebuild();
    return true;
  }

  *values(): IterableIterator<Item> {
    for (const { item } of this.#slots.values()) if (item !== undefined) yield item;
  }

  #rebuild(): void {
    const slots = new Map<Key, Slot<Item>>();
    for (const [key, slot] of this.#slots) if (slot.item !== undefined) slots.set(key, slot);
    this.#slots = slots;
    this.#empty = 0;
  }
}

interface Slot<Item> {
  item: Item | undefined;
}

/** Empty entries kept before the map is built anew: some hundred kilobytes at most. */
const mostEmpty = 8_192;
