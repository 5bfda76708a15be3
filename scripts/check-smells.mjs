// Finds what no linter looks for: an impure core, hidden clocks, backends known by name, swallowed failures,
// errors recognised by their text, files that are too long or named after nothing.

import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const MAX_LINES = 300;

/**
 * @typedef {object} Smell
 * @property {string} fault
 * @property {RegExp} pattern
 * @property {RegExp} files
 * @property {RegExp} [except]
 * @property {true} [inComments] comments are looked at as well
 */

/** @type {Smell[]} */
const smells = [
  {
    fault: "the core is pure: no promises, clock, chance or process",
    pattern: /\b(async|await|Promise|Date|setTimeout|performance|random|randomUUID|process)\b/g,
    files: /^src\/core\//,
  },
  {
    fault: "time is read from a clock that was handed in",
    pattern: /\b(Date\.now|performance\.now|setTimeout|setInterval)\b|\bnew Date\(\s*\)/g,
    files: /^src\//,
    except: /^src\/clock\//,
  },
  {
    fault: "backends are known by name only in their own folder and where the program is put together",
    pattern: /redis(?!t|c)|postgres|sqlite|lmdb|etcd/gi,
    files: /^src\/(core|manager|server|client)\//,
    inComments: true,
  },
  {
    fault: "a failure is swallowed: handle it, or say in the block why it does not matter",
    pattern: /\bcatch\s*(\([^)]*\))?\s*\{\s*\}|\.catch\(\s*\(\)\s*=>\s*(\{\s*\}|undefined|null)\s*\)/g,
    files: /^src\//,
    inComments: true,
  },
  {
    fault: "errors are told apart by their code, not by their text",
    pattern: /\.message(\.(includes|startsWith|match)\(|\s*===)/g,
    files: /^(src|test)\//,
  },
];

let faults = 0;
for (const file of [...filesIn("src"), ...filesIn("test")]) {
  const text = readFileSync(`${root}${file}`, "utf8");
  const code = withoutComments(text);
  for (const { fault, pattern, files, except, inComments } of smells) {
    if (!files.test(file) || except?.test(file)) continue;
    for (const match of (inComments ? text : code).matchAll(pattern)) {
      report(
        `${file}:${text.slice(0, match.index).split("\n").length}`,
        `${fault}: ${match[0].replace(/\s+/g, " ")}`,
      );
    }
  }
  if (!file.startsWith("src/")) continue;
  const lines = text.split("\n").length - 1;
  if (lines > MAX_LINES)
    report(`${file}:${lines}`, `a file has at most ${MAX_LINES} lines: split it by idea`);
  if (/(^|[/.-])(utils?|helpers?|common|misc|shared|base|impl|types)\.ts$/i.test(file)) {
    report(`${file}:1`, "the file's name says nothing about what is in it");
  }
}
process.exitCode = faults === 0 ? 0 : 1;

/**
 * @param {string} where
 * @param {string} fault
 */
function report(where, fault) {
  faults += 1;
  console.log(`${where} ${fault}`);
}

/** @param {string} folder */
function filesIn(folder) {
  return readdirSync(`${root}${folder}`, { recursive: true, encoding: "utf8" })
    .map((path) => `${folder}/${path.replaceAll("\\", "/")}`)
    .filter((path) => path.endsWith(".ts"));
}

/**
 * Blanks comments and keeps everything else at its place. Strings are matched only to leave them alone.
 *
 * @param {string} text
 */
function withoutComments(text) {
  const token = /"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\[^]|[^`\\])*`|\/\/[^\n]*|\/\*[^]*?\*\//g;
  return text.replace(token, (match) => (match.startsWith("/") ? match.replace(/[^\n]/g, " ") : match));
}
