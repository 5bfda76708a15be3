/** The cells of a manager by name (a path, an agent, or a key), bounded. */
import { Cell } from "./job.js";
import { RecentMap } from "./recent-map.js";

/** To be trimmed between batches only, for a batch relies on getting the same cell again. */
export class Cells extends RecentMap<Cell> {
  readonly #keyOf: (name: string) => string;

  constructor(capacity: number, keyOf: (name: string) => string) {
    super(capacity);
    this.#keyOf = keyOf;
  }

  /** The cell of a name, made when there is none. */
  at(name: string): Cell {
    return this.get(name) ?? this.#make(name);
  }

  #make(name: string): Cell {
    const cell = new Cell(this.#keyOf(name));
    this.set(name, cell);
    return cell;
  }
}
