/** A map that forgets: of what it was given it keeps the names used last, between `capacity` and twice as many. */
export class RecentMap<Item> {
  readonly #capacity: number;
  #young = new Map<string, Item>();
  #old = new Map<string, Item>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get(name: string): Item | undefined {
    return this.#young.get(name) ?? this.#revive(name);
  }

  #revive(name: string): Item | undefined {
    const item = this.#old.get(name);
    if (item !== undefined) this.#young.set(name, item);
    return item;
  }

  set(name: string, item: Item): void {
    this.#young.set(name, item);
  }

  delete(name: string): void {
    this.#young.delete(name);
    this.#old.delete(name);
  }

  /** Forgets what was not used lately, when there is too much. Until it is called, everything is kept. */
  trim(): void {
    if (this.#young.size <= this.#capacity) return;
    this.#old = this.#young;
    this.#young = new Map();
  }
}
