/** What batches make of cells: a set of drafts for each batch, kept until it is settled, and used again. */
import { type Cell, Draft } from "./job.js";

/** Notes at each cell that one more, or one less, of those who come first expects or writes it: a commit under way, or a job that waits for one. */
export function note(expected: readonly Draft[], written: readonly Draft[], by: 1 | -1): void {
  for (const { cell } of expected) cell.expecting += by;
  for (const { cell } of written) cell.writing += by;
}

/** Drafts kept from batch to batch. */
const mostDrafts = 4_096;

/** The drafts of one batch. */
export class Drafts {
  readonly #spare: Drafts[];
  readonly #drafts: Draft[] = [];
  #used = 0;

  constructor(spare: Drafts[]) {
    this.#spare = spare;
  }

  of(cell: Cell): Draft {
    const draft = this.#drafts[this.#used]?.of(cell) ?? this.#make(cell);
    this.#used++;
    cell.draft = draft;
    return draft;
  }

  #make(cell: Cell): Draft {
    const draft = new Draft(cell);
    this.#drafts.push(draft);
    return draft;
  }

  /** The next batch begins from the cells. */
  leave(): void {
    for (let i = 0; i < this.#used; i++) {
      const draft = this.#drafts[i];
      if (draft !== undefined) draft.cell.draft = undefined;
    }
  }

  /** Nobody needs them any more. */
  putBack(): void {
    this.leave();
    this.#used = 0;
    if (this.#drafts.length > mostDrafts) this.#drafts.length = mostDrafts;
    this.#spare.push(this);
  }
}
