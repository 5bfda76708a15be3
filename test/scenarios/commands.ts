/** What the commands of a scenario do. Each is one line of plain words; `test/scenarios/README.md` lists them. */
import { toMilliseconds } from "../../src/duration.js";
import type { AcquireOptions } from "../../src/lock-manager.js";
import type { Fault } from "../support/faulty-store.js";
import { handles } from "./handles.js";
import { looking } from "./looking.js";
import type { Pending, Play, Process } from "./play.js";

/** One line, word by word; what stands in quotes is one word. */
export interface Line {
  readonly play: Play;
  readonly process: Process;
  /** The line names its manager; what it says of the store is meant for that one alone. */
  readonly isNamed: boolean;
  readonly words: readonly string[];
}

/** Begins the command. What it returns is awaited before the answer is read, so only what cannot hang may be. */
export type Verb = (line: Line) => Pending | Promise<void> | void;

type Phrase = readonly [pattern: string, verb: Verb];

const anyMs = { minMs: 0, maxMs: Infinity };

function milliseconds(word: string | undefined): number {
  return toMilliseconds("duration", word, anyMs);
}

/** A number where one is written, so that bad input can be told from good. */
export function value(word: string | undefined): string | number {
  if (word === "Infinity" || word === "NaN" || /^-?\d+(\.\d+)?$/.test(word ?? "")) return Number(word);
  return word ?? "";
}

const faults: Readonly<Record<string, Fault>> = {
  reply: { kind: "reply lost" },
  request: { kind: "request lost" },
  refusal: { kind: "refused", retryable: true },
  "refusal for good": { kind: "refused", retryable: false },
  "faster writer": { kind: "overtaken" },
};

function everyProcess({ play, process, isNamed }: Line, act: (process: Process) => void): void {
  for (const one of isNamed ? [process] : play.processes.values()) act(one);
}

function meet({ process }: Line, fault: Fault, times: number): void {
  process.store.nextCommit(fault, times);
}

function die(process: Process): void {
  process.isDead = true;
  process.store.vanish();
}

/** A star stands for one word, three dots for any number of them. */
const phrases: readonly Phrase[] = [
  ["time passes *", ({ play, words }) => play.clock.advance(milliseconds(words[2]))],
  ["wall clock steps * forward", ({ play, words }) => play.clock.stepWall(milliseconds(words[3]))],
  ["wall clock steps * back", ({ play, words }) => play.clock.stepWall(-milliseconds(words[3]))],
  ["laptop sleeps *", ({ play, words }) => play.clock.sleep(milliseconds(words[2]))],
  ["starts", () => undefined],
  ["dies", ({ process }) => die(process)],
  ["store is down", (line) => everyProcess(line, ({ store }) => store.down())],
  ["store is back", (line) => everyProcess(line, ({ store }) => store.up())],
  ["store loses the next reply", (line) => meet(line, faults["reply"]!, 1)],
  ["store loses the next request", (line) => meet(line, faults["request"]!, 1)],
  ["store loses the next * replies", (line) => meet(line, faults["reply"]!, Number(line.words[4]))],
  ["store loses the next * requests", (line) => meet(line, faults["request"]!, Number(line.words[4]))],
  ["store refuses the next * commits", (line) => meet(line, faults["refusal"]!, Number(line.words[4]))],
  ["store refuses the next commit for good", (line) => meet(line, faults["refusal for good"]!, 1)],
  [
    "store carries out the next request * late",
    (line) => meet(line, { kind: "late", ms: milliseconds(line.words[6]) }, 1),
  ],
  [
    "store takes * for the next commit",
    (line) => meet(line, { kind: "slow", ms: milliseconds(line.words[2]) }, 1),
  ],
  ["another writer is faster * times", (line) => meet(line, faults["faster writer"]!, Number(line.words[4]))],
  ["hints are lost", (line) => everyProcess(line, ({ store }) => store.hint("lost"))],
  ["hints come twice", (line) => everyProcess(line, ({ store }) => store.hint("twice"))],
  ["hints take *", (line) => everyProcess(line, ({ store }) => store.hint(milliseconds(line.words[2])))],
  ...handles,
  ...looking,
];

/** Reads one line and sees to it that its manager runs; what it returns carries it out. */
export async function prepare(play: Play, text: string): Promise<() => ReturnType<Verb>> {
  // Settings for the managers that start from now on.
  const given = /^given (\w+) = (.*)$/.exec(text);
  if (given !== null) {
    play.config[given[1]!] = JSON.parse(given[2]!);
    return () => undefined;
  }
  const named = /^manager (\S+?):? (.*)$/.exec(text);
  const words = wordsOf(named?.[2] ?? text);
  const process = await play.process(named?.[1] ?? "one");
  const found = phrases.find(([pattern]) => matches(words, pattern));
  if (found === undefined) throw new Error(`No command is like: ${text}`);
  return () => found[1]({ play, process, isNamed: named !== null, words });
}

function matches(words: readonly string[], pattern: string): boolean {
  const parts = pattern.split(" ");
  const open = parts.at(-1) === "...";
  const fixed = open ? parts.slice(0, -1) : parts;
  if (words.length < fixed.length || (!open && words.length > fixed.length)) return false;
  return fixed.every((part, index) => part === "*" || part === words[index]);
}

function wordsOf(text: string): string[] {
  return [...text.matchAll(/"(?:[^"\\]|\\.)*"|\S+/g)].map(([word]) =>
    word.startsWith('"') ? String(JSON.parse(word)) : word,
  );
}

const optionWords = new Set(["shared", "exclusive", "tree", "for", "waiting", "now", "because", "extending"]);

/** `ann /a /b shared tree for 30s waiting 5s because "…" extending` */
export function asked(words: readonly string[]): {
  readonly agentId: string;
  readonly paths: readonly string[];
  readonly options: AcquireOptions;
} {
  const [agentId = "", ...rest] = words;
  const from = rest.findIndex((word) => optionWords.has(word));
  const paths = from < 0 ? rest : rest.slice(0, from);
  const terms = from < 0 ? [] : rest.slice(from);
  const options: Record<string, unknown> = {};
  for (let i = 0; i < terms.length; i++) {
    const word = terms[i];
    if (word === "shared" || word === "exclusive") options["mode"] = word;
    else if (word === "tree") options["scope"] = word;
    else if (word === "now") options["timeout"] = 0;
    else if (word === "extending") options["autoExtend"] = true;
    else if (word === "for") options["ttl"] = value(terms[++i]);
    else if (word === "because") options["reason"] = terms[++i];
    else if (word === "waiting" && terms[i + 1] === "for") {
      options["timeout"] = Infinity;
      i += 2;
    } else if (word === "waiting") options["timeout"] = value(terms[++i]);
    else throw new Error(`What is "${word}"?`);
  }
  return { agentId, paths, options: options as AcquireOptions };
}
