/**
 * The simulator with every test: the seeds that once failed, and a million steps from one seed.
 *
 * `SIMULATOR_SEED=7 SIMULATOR_STEPS=200000 npx vitest run test/simulator` looks elsewhere and less far; `npm run simulate` as far as one likes.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { expect, test } from "vitest";
import { repository } from "../docs/documents.js";
import { runEpisode } from "./episode.js";
import { namedSeeds } from "./seeds.js";
import { fewest } from "./shrink.js";
import { simulate } from "./simulate.js";

const seed = Number(process.env["SIMULATOR_SEED"] ?? 20_251_127);
const steps = Number(process.env["SIMULATOR_STEPS"] ?? 1_000_000);
/** A machine that is too slow for all the steps does as many as it can. */
const longestMs = 40_000;

test.each(namedSeeds)("seed $seed: it is no more that $story", { timeout: 60_000 }, async (named) => {
  const { violation } = await runEpisode({ seed: named.seed });
  expect(violation).toBeUndefined();
});

test(`nothing is wrong in ${steps} steps from seed ${seed}`, { timeout: 120_000 }, async () => {
  const until = Date.now() + longestMs;
  const { tally, broken } = await simulate({ seed, steps, isEnough: () => Date.now() > until });
  expect(broken?.violation, `npm run simulate -- --seed ${broken?.weather.seed} --steps 1`).toBeUndefined();
  expect(tally.granted).toBeGreaterThan(tally.seeds * 10);
});

test("the same seed gives the same trace, byte by byte, in every process (invariant I17)", {
  timeout: 120_000,
}, async () => {
  const run = (script: string, ...args: string[]): string =>
    execFileSync(process.execPath, [join(repository, script), ...args], {
      cwd: repository,
      encoding: "utf8",
      maxBuffer: 2 ** 28,
    });
  run("node_modules/typescript/bin/tsc", "-p", "tsconfig.simulator.json");
  for (const one of [3, 5]) {
    const { trace } = await runEpisode({ seed: one, traced: true });
    const here = trace?.whole() ?? "";
    const there = run(".sim/test/simulator/main.js", "--trace", "--seed", String(one));
    expect(here.length).toBeGreaterThan(10_000);
    expect(hash(there)).toBe(hash(here));
  }
});

test("what is left of a run that fails is what it takes", async () => {
  const all = Array.from({ length: 100 }, (_, index) => index);
  const isEnough = async (some: readonly number[]): Promise<boolean> => some.includes(7) && some.includes(42);
  expect(await fewest(all, isEnough, () => false)).toEqual([7, 42]);
});

function hash(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
