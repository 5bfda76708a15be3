/** The end of a command that failed: words on stderr, with --json an object on stdout too. */
import { exitCodeOf, explainError } from "./explain-error.js";
import { createOutput } from "./output.js";
import { say } from "./say.js";
import type { CommonFlags } from "./settings.js";
import { errorToJson } from "./to-json.js";

/** Answers the exit code. */
export async function tellError(error: unknown, flags: CommonFlags, now: Date): Promise<number> {
  if (flags.json === true) await tellErrorAsJson(error, now);
  say(explainError(error, { now, verbose: flags.verbose === true }));
  return exitCodeOf(error);
}

export async function tellErrorAsJson(error: unknown, now: Date): Promise<void> {
  await createOutput({ json: true }).result({ error: errorToJson(error, now) }, () => "");
}
