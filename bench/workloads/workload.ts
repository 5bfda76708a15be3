/** One question that the benchmarks answer. */
import type { Contestant, ContestantKind, SiteKind } from "../contestants/contestant.js";
import type { Pace } from "../rounds.js";

export interface Answer {
  /** What was measured, and in what unit. */
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** What is to be known beside the table. */
  readonly notes?: readonly string[];
  /** The figures behind the table, for `--json`. */
  readonly data: unknown;
}

export interface Settings {
  readonly pace: Pace;
  /** Fewer locks and turns: to see that everything runs, not what it yields. */
  readonly quick: boolean;
  /** Names of contestants to do without: whatever shares a process costs the others speed. */
  readonly without: readonly string[];
  /** Those to run instead of the usual ones. */
  readonly instead?: readonly SiteKind[];
}

export interface Workload {
  /** For `--only`. */
  readonly name: string;
  run(settings: Settings): Promise<readonly Answer[]>;
}

/** Opens those contestants that can run here, and closes them whatever happens. */
export async function withContestants<Result>(
  { without }: Settings,
  kinds: readonly ContestantKind[],
  use: (contestants: readonly Contestant[]) => Promise<Result>,
): Promise<Result> {
  const open: Contestant[] = [];
  try {
    for (const kind of kinds) {
      if (without.includes(kind.name)) continue;
      const contestant = await kind.open();
      if (contestant === undefined)
        console.log(`${kind.name} is left out: ${kind.why ?? "it cannot run here"}.`);
      else open.push(contestant);
    }
    return await use(open);
  } finally {
    for (const contestant of open) await contestant.close();
  }
}
