/** How often durations of which length occurred: the plain numbers behind one histogram. */

export class Tally {
  /** Upper bounds in milliseconds, rising; a duration belongs to the first it does not exceed. */
  readonly boundsMs: readonly number[];
  /** One count for each bound, and one for what exceeds them all. Not cumulative. */
  readonly counts: number[];
  sumMs = 0;

  constructor(boundsMs: readonly number[]) {
    this.boundsMs = boundsMs;
    this.counts = Array.from({ length: boundsMs.length + 1 }, () => 0);
  }

  add(ms: number): void {
    let bucket = 0;
    while (ms > (this.boundsMs[bucket] ?? Infinity)) bucket += 1;
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
    this.sumMs += ms;
  }
}
