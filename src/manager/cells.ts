/** The cells of a manager by name (a path, an agent, or a key), bounded. */
import { Cell } from "./job.js";
import { RecentMap } from "./recent-map.js";

export class Cells {
  readonly #keyOf: (name: string) => string;
  readonly #recent: RecentMap<Cell>;

  constructor(capacity: number, keyOf: (name: string) => string) {
    this.#keyOf = keyOf;
    this.#recent = new RecentMap(capacity);
  }

  /** The cell of a name, made when there is none. */
  at(name: string): Cell {
    return this.#recent.get(name) ?? this.#make(name);
  }

  find(name: string): Cell | undefined {
    return this.#recent.get(name);
  }

  #make(name: string): Cell {
    const cell = new Cell(this.#keyOf(name));
    this.#recent.set(name, cell);
    return cell;
  }

  /** Forgets a cell that will hardly be asked for again. To be called between batches only. */
  drop(name: string): void {
    this.#recent.delete(name);
  }

  /** To be called between batches only, for a batch relies on getting the same cell again. */
  trim(): void {
    this.#recent.trim();
  }
}
