/** What a command says: results on stdout, everything else on stderr. */
import process from "node:process";
import * as colors from "yoctocolors";
import { escapeInJson } from "./printable.js";
import { endedLine, say } from "./say.js";
import type { CommonFlags } from "./settings.js";

export interface Output {
  /** True when stdout carries JSON and nothing else. */
  readonly json: boolean;
  readonly verbose: boolean;
  /** The result of the command: `data` as JSON, or `text`, which --quiet drops. */
  result(data: unknown, text: () => string | Promise<string>): Promise<void>;
  /** One of many results, each on a line of its own: JSON lines, or text that --quiet drops. */
  line(data: unknown, text: () => string): void;
  /** What is going on, on stderr; --quiet drops it. */
  note(text: string): void;
  /** What must be known, on stderr. */
  warn(text: string): void;
  /** For stdout; each leaves the text alone when colours are not wanted. */
  readonly paint: Paint;
}

export interface Paint {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
}

export function createOutput(flags: CommonFlags): Output {
  const { json = false, quiet = false, verbose = false } = flags;
  return {
    json,
    verbose,
    paint: paintFor(flags),
    async result(data, text) {
      if (json) process.stdout.write(`${escapeInJson(JSON.stringify(data, undefined, 2))}\n`);
      else if (!quiet) process.stdout.write(endedLine(await text()));
    },
    line(data, text) {
      if (json) process.stdout.write(`${escapeInJson(JSON.stringify(data))}\n`);
      else if (!quiet) process.stdout.write(`${text()}\n`);
    },
    note(text) {
      if (!quiet) say(text);
    },
    warn: say,
  };
}

/** Colours are for people: only on a terminal. yoctocolors itself honours `NO_COLOR` and `TERM=dumb`. */
function paintFor(flags: CommonFlags): Paint {
  if (!process.stdout.isTTY || flags.color === false) {
    return { bold: same, dim: same, good: same, bad: same };
  }
  return { bold: colors.bold, dim: colors.dim, good: colors.green, bad: colors.red };
}

function same(text: string): string {
  return text;
}
