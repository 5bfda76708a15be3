/** The cells of a manager by name (a path, an agent, or a key), bounded. */
import { ChurnMap } from "../churn-map.js";
import { Cell } from "./job.js";

/** Forgets the cells least recently used when there are too many: keeps between `capacity` and twice as many. */
export class Cells {
  readonly #capacity: number;
  readonly #keyOf: (name: string) => string;
  #young = new ChurnMap<string, Cell>();
  #old = new ChurnMap<string, Cell>();

  constructor(capacity: number, keyOf: (name: string) => string) {
    this.#capacity = capacity;
    this.#keyOf = keyOf;
  }

  /** The cell of a name, made when there is none. */
  at(name: string): Cell {
    return this.#young.get(name) ?? this.#bring(name);
  }

  find(name: string): Cell | undefined {
    return this.#young.get(name) ?? this.#old.get(name);
  }

  #bring(name: string): Cell {
    const cell = this.#old.get(name) ?? new Cell(this.#keyOf(name));
    this.#young.set(name, cell);
    return cell;
  }

  /** Forgets a cell that will hardly be asked for again. To be called between batches only. */
  drop(name: string): void {
    this.#young.delete(name);
    this.#old.delete(name);
  }

  /** To be called between batches only, for a batch relies on getting the same cell again. */
  trim(): void {
    if (this.#young.size <= this.#capacity) return;
    this.#old = this.#young;
    this.#young = new ChurnMap();
  }
}
