/** Kills processes as often as it is told to: `npm run crash -- --rounds 500 --seed 1`. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { killInRounds } from "./rounds.js";

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "500" }, seed: { type: "string" } },
});
const rounds = Number(values.rounds);
const seed = Number(values.seed ?? Date.now() % 1_000_000);
if (!Number.isSafeInteger(rounds) || rounds < 1 || !Number.isSafeInteger(seed)) {
  console.error("Usage: npm run crash -- [--rounds N] [--seed S]");
  process.exit(64);
}
const directory = await mkdtemp(join(tmpdir(), "engram-lock-crash-"));
console.log(`${rounds} rounds with seed ${seed}.`);
const began = performance.now();
const outcome = await killInRounds({ rounds, seed, directory, tell: (line) => console.log(line) });
await rm(directory, { recursive: true });
for (const [point, count] of Object.entries(outcome.kills))
  console.log(`${String(count).padStart(6)} ${point}`);
console.log(
  `${rounds} kills in ${Math.round((performance.now() - began) / 1_000)} s (${outcome.withinFlush} within a flush); of ${outcome.acknowledged} acknowledgements none was lost. Seed ${seed}.`,
);
