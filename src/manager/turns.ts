/**
 * Who has to wait for the commits under way. Where two may be, the second must not depend on the first: neither looks at what the other writes. So a job
 * waits until what it looks at, and what it writes, is in nobody's hands; and whoever comes behind it must not take that from it.
 */
import type { Commits } from "./commits.js";
import { note } from "./drafts.js";
import type { Draft, Job } from "./job.js";

export class Turns {
  readonly #commits: Pick<Commits, "underWay">;
  readonly #waiting: Job[] = [];

  constructor(commits: Pick<Commits, "underWay">) {
    this.#commits = commits;
  }

  /** Whether it has to wait. Then what it wants is kept from those behind it, until all are planned. */
  mustWait(job: Job): boolean {
    if (this.#commits.underWay === 0) return false;
    if (job.ranges.length === 0 && !meetsAnother(job)) return false;
    note(job.reads, job.writes, 1);
    this.#waiting.push(job);
    return true;
  }

  /** All are planned. */
  over(): void {
    for (const job of this.#waiting) note(job.reads, job.writes, -1);
    this.#waiting.length = 0;
  }
}

function meetsAnother({ reads, writes }: Job): boolean {
  return reads.some(isWritten) || writes.some(({ cell }) => cell.writing > 0 || cell.expecting > 0);
}

function isWritten({ cell }: Draft): boolean {
  return cell.writing > 0;
}
