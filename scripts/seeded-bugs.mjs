// Seeds each bug of test/seeded-bugs/ into a scratch copy of the sources, and expects its judge to notice.

import { spawn, spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const help = `Usage: npm run seeded-bugs -- [--only NAME]… [--from NAME] [--jobs N] [--seed N] [--steps N] [--limit SECONDS]

  --only NAME      only the bugs with that in their name
  --from NAME      only that one, by its number or name, and those after it: goes on where a run was stopped
  --jobs N         so many at once (default 1)
  --seed N         where the simulator begins (default 1)
  --steps N        after so many steps without a violation a bug is not caught (default 1000000)
  --limit SECONDS  for the judge of one bug (default 600)
`;

const root = fileURLToPath(new URL("..", import.meta.url));
const bugs = join(root, "test/seeded-bugs");
const copied = [
  "src",
  "test",
  "package.json",
  "tsconfig.json",
  "tsconfig.simulator.json",
  "vitest.config.ts",
];

const { values: flags } = parseArgs({
  options: {
    only: { type: "string", multiple: true, default: [] },
    from: { type: "string", default: "" },
    jobs: { type: "string", default: "1" },
    seed: { type: "string", default: "1" },
    steps: { type: "string", default: "1000000" },
    limit: { type: "string", default: "600" },
    help: { type: "boolean", default: false },
  },
});

const nothingWrong = "the judge found nothing wrong";
const tooLate = `the judge found nothing wrong in ${flags.limit} s`;

/**
 * @typedef {{ caught: string, missed?: never } | { missed: string, caught?: never }} Verdict
 * @typedef {{ command: string[], notice: (line: string) => string | undefined }} Trial
 */

/** End the judges that are at work. @type {Set<() => void>} */
const ends = new Set();
let isStopped = false;
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    isStopped = true;
    for (const end of ends) end();
  });
}

if (flags.help) process.stdout.write(help);
else await main();

async function main() {
  const patches = readdirSync(bugs)
    .filter((name) => name.endsWith(".patch"))
    .filter((name) => flags.only.length === 0 || flags.only.some((part) => name.includes(part)))
    .toSorted()
    .filter((name, _, all) => name >= (all.find((one) => one.includes(flags.from)) ?? "~"));
  if (patches.length === 0) throw new Error("No seeded bug has such a name.");
  const jobs = Number(flags.jobs);
  if (!(jobs >= 1)) throw new RangeError(`--jobs must be at least 1, not "${flags.jobs}"`);
  // A judge that finds fault with the sources as they are would catch everything.
  for (const files of new Set(patches.map((name) => judgeOf(join(bugs, name))))) {
    const verdict = await judge(undefined, files);
    if (isStopped) break;
    if (verdict.missed === nothingWrong || verdict.missed === tooLate) continue;
    const name = files === undefined ? "the simulator" : files;
    console.log(`Without any bug, ${name} says: ${verdict.caught ?? verdict.missed}`);
    process.exitCode = 1;
    return;
  }
  let missed = 0;
  const left = patches.values();
  const work = async () => {
    for (const name of left) {
      const began = Date.now();
      const patch = join(bugs, name);
      const verdict = await judge(patch, judgeOf(patch));
      if (isStopped) return;
      const isCaught = verdict.caught !== undefined;
      const line = isCaught ? `caught: ${verdict.caught}` : `NOT CAUGHT: ${verdict.missed}`;
      console.log(`${basename(name, ".patch")}: ${line} (${Math.round((Date.now() - began) / 1000)} s)`);
      if (!isCaught) missed += 1;
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  if (isStopped) {
    process.exitCode = 130;
    return;
  }
  console.log(`${patches.length - missed} of ${patches.length} seeded bugs were caught.`);
  if (missed > 0) process.exitCode = 1;
}

/** The tests that judge the bug; `undefined`: the simulator does. @param {string} patch */
function judgeOf(patch) {
  return /^Judge: (.+)$/m.exec(readFileSync(patch, "utf8"))?.[1];
}

/** @param {string | undefined} patch @param {string | undefined} files @returns {Promise<Verdict>} */
async function judge(patch, files) {
  const scratch = mkdtempSync(join(tmpdir(), "seeded-bug-"));
  try {
    // Tests start processes of other users.
    chmodSync(scratch, 0o755);
    for (const name of copied) cpSync(join(root, name), join(scratch, name), { recursive: true });
    symlinkSync(join(root, "node_modules"), join(scratch, "node_modules"));
    if (patch !== undefined) {
      const { status, stderr } = spawnSync("git", ["apply", patch], { cwd: scratch, encoding: "utf8" });
      if (status !== 0) return { missed: `the patch no longer fits: make it anew\n${stderr}` };
    }
    // The simulator with the sources that it tries. Under tests they are run as they are, but should compile all the same.
    const compiler = ["node_modules/typescript/bin/tsc", "-p", "tsconfig.simulator.json"];
    const compiled = spawnSync(process.execPath, compiler, { cwd: scratch, encoding: "utf8" });
    if (compiled.status !== 0) return { missed: `it does not compile: make it anew\n${compiled.stdout}` };
    if (isStopped) return { missed: "stopped" };
    return await run(scratch, files === undefined ? simulation() : tests(files.split(" ")));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** @returns {Trial} */
function simulation() {
  let violation = "";
  return {
    command: [
      "--stack-trace-limit=0",
      ".sim/test/simulator/main.js",
      `--steps=${flags.steps}`,
      `--seed=${flags.seed}`,
      // Seeds that once failed show what others rarely do.
      "--named",
    ],
    notice(line) {
      if (line.startsWith("Uncaught")) return line;
      if (line.startsWith("VIOLATION")) violation = line;
      const [, seed] = /^Seed (\d+)/.exec(line) ?? [];
      return seed !== undefined && violation !== "" ? `${violation} Seed ${seed}.` : undefined;
    },
  };
}

/** @param {string[]} files @returns {Trial} */
function tests(files) {
  let failed = "";
  return {
    command: ["node_modules/vitest/vitest.mjs", "run", "--bail", "1", ...files],
    notice(line) {
      if (/^\s*FAIL /.test(line)) failed = line.trim();
      return failed !== "" && /^(\w*Error|Error): /.test(line) ? `${failed}: ${line}` : undefined;
    },
  };
}

/**
 * Runs the judge until it has noticed something, has come to its end, or has taken too long.
 *
 * @param {string} scratch @param {Trial} trial @returns {Promise<Verdict>}
 */
function run(scratch, { command, notice }) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, command, {
      cwd: scratch,
      env: { ...process.env, NO_COLOR: "1" },
      // In a group of its own, which goes as a whole: the judge may have started processes in turn.
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    /** @type {string[]} */
    const output = [];
    /** @type {string | undefined} */
    let caught;
    let isLate = false;
    const end = () => {
      const isRunning = child.exitCode === null && child.signalCode === null;
      if (child.pid !== undefined && isRunning) process.kill(-child.pid, "SIGKILL");
    };
    ends.add(end);
    const limit = setTimeout(() => {
      isLate = true;
      end();
    }, Number(flags.limit) * 1000);
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        output.push(line);
        if (caught !== undefined) return;
        caught = notice(line);
        if (caught !== undefined) end();
      });
    }
    child.once("error", reject);
    child.once("close", (code) => {
      clearTimeout(limit);
      ends.delete(end);
      if (caught !== undefined) resolve({ caught });
      else if (isLate) resolve({ missed: tooLate });
      else if (code === 0) resolve({ missed: nothingWrong });
      else resolve({ missed: `the judge itself failed\n${output.slice(-5).join("\n")}` });
    });
  });
}
