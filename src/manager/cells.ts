/** The cells of a manager by key, bounded. */
import { Cell } from "./job.js";

/** Cells by key, the least recently used half of them dropped when there are too many. */
export class Cells {
  readonly #capacity: number;
  #young = new Map<string, Cell>();
  #old = new Map<string, Cell>();

  /** Keeps between `capacity` and twice as many cells. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** The cell of a key, made when there is none. */
  at(key: string): Cell {
    return this.#young.get(key) ?? this.#bring(key);
  }

  find(key: string): Cell | undefined {
    return this.#young.get(key) ?? this.#old.get(key);
  }

  #bring(key: string): Cell {
    const cell = this.#old.get(key) ?? new Cell(key);
    this.#young.set(key, cell);
    return cell;
  }

  drop(cell: Cell): void {
    this.#young.delete(cell.key);
    this.#old.delete(cell.key);
  }

  /** To be called between batches only, for a batch relies on getting the same cell again. */
  trim(): void {
    if (this.#young.size <= this.#capacity) return;
    this.#old = this.#young;
    this.#young = new Map();
  }
}
