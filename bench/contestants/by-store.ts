/** Who competes on which server: our manager on it, and what is usual there. */
import type { ContestantKind } from "./contestant.js";
import { engramPostgres, postgresAdvisoryLocks, postgresRows } from "./postgres.js";

export const contestantsOf: ReadonlyMap<string, readonly ContestantKind[]> = new Map([
  ["postgres", [engramPostgres, postgresRows, postgresAdvisoryLocks]],
]);
