/** `npm run simulate -- --help` */
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { type Ending, runEpisode } from "./episode.js";
import { namedSeeds } from "./seeds.js";
import { shrink } from "./shrink.js";
import { simulate, type Tally } from "./simulate.js";

const help = `Usage: npm run simulate -- [--steps N] [--seed N] [--managers N] [--named] [--trace]

  --steps N     until so many things have happened (default 1_000_000)
  --seed N      the seed of the first episode, from which the others follow (default: by chance)
  --managers N  so many managers in every episode (default: 1 to 4, as each seed says)
  --named       first the seeds that once failed
  --trace       only the episode of that seed, and everything that happens in it
`;

const tellEveryMs = 10_000;
const shrinkForMs = 60_000;

const { values } = parseArgs({
  options: {
    steps: { type: "string", default: "1_000_000" },
    seed: { type: "string" },
    managers: { type: "string" },
    named: { type: "boolean", default: false },
    trace: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

if (values.help) process.stdout.write(help);
else await run();

async function run(): Promise<void> {
  const seed = whole("seed", values.seed) ?? Math.floor(Math.random() * 2 ** 32);
  const managers = whole("managers", values.managers);
  // An error that nobody caught is a violation too: the seed says where.
  process.on("uncaughtException", (error) => {
    console.error(`Uncaught in an episode that followed from seed ${seed}:`, error);
    process.exit(1);
  });
  if (values.trace) {
    const ending = await runEpisode({ seed, managers, traced: true });
    process.stdout.write(ending.trace?.whole() ?? "");
    if (ending.violation !== undefined) tellViolation(ending);
    return;
  }
  const steps = whole("steps", values.steps) ?? 1_000_000;
  const began = performance.now();
  console.log(`Simulating ${number(steps)} steps from seed ${seed}.`);
  let toldAt = began;
  const { tally, broken } = await simulate({
    seed,
    before: values.named ? namedSeeds.map((one) => one.seed) : [],
    steps,
    managers,
    onEpisode: (soFar) => {
      const now = performance.now();
      if (now - toldAt < tellEveryMs) return;
      toldAt = now;
      console.log(`${number(soFar.steps)} steps, ${perSecond(soFar.steps, now - began)}`);
    },
  });
  tellTally(tally, performance.now() - began);
  if (broken === undefined) console.log("No violation.");
  else await explain(broken);
}

async function explain(broken: Ending): Promise<void> {
  tellViolation(broken);
  console.log(`Looking for a shorter way there, for at most ${shrinkForMs / 1000} s …`);
  const { ending, runs } = await shrink(broken, shrinkForMs, () => performance.now());
  const { script, thrown } = ending;
  console.log(`After ${runs} runs, ${script.length} actions and ${thrown.length} faults are left:\n`);
  console.log(ending.trace?.story() ?? "");
  tellViolation(ending);
}

function tellViolation({ weather, violation }: Ending): void {
  const { seed, name, managers } = weather;
  console.log(`VIOLATION of ${violation?.invariant}: ${violation?.sentence}.`);
  console.log(`Seed ${seed} (${name}, ${managers} managers), after ${violation?.at.toFixed(3)} ms.`);
  process.exitCode = 1;
}

function tellTally({ steps, seeds, granted, refused, weathers, faults }: Tally, ms: number): void {
  const { user, system } = process.cpuUsage();
  console.log(`${number(steps)} steps in ${(ms / 1000).toFixed(1)} s: ${perSecond(steps, ms)},`);
  console.log(`${perSecond(steps, (user + system) / 1000)} of processor time.`);
  console.log(`${number(granted)} acquires were granted and ${number(refused)} refused.`);
  console.log(`${number(seeds)} seeds:`);
  for (const [name, times] of sorted(weathers)) console.log(`  ${number(times).padStart(9)} ${name}`);
  console.log("Faults:");
  for (const [name, times] of sorted(faults)) console.log(`  ${number(times).padStart(9)} ${name}`);
}

function sorted(counts: ReadonlyMap<string, number>): [string, number][] {
  return [...counts].toSorted(([, a], [, b]) => b - a);
}

function perSecond(steps: number, ms: number): string {
  return `${number(Math.round(steps / (ms / 1000)))} steps/s`;
}

function number(value: number): string {
  return value.toLocaleString("en").replaceAll(",", "_");
}

function whole(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text.replaceAll("_", ""));
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new RangeError(`--${name} must be a whole number, not "${text}"`);
}
