/**
 * Managers under random faults: replies and requests that get lost or late, stores that are down, hints that go astray, processes that die. What
 * the store holds is checked at every commit, what callers believe whenever time has passed, and at the end nothing may be left.
 *
 * `FLEET_SEED=7 FLEET_RUNS=500 npx vitest run test/model/managers-model.test.ts` looks elsewhere and further.
 */
import { expect, test } from "vitest";
import type { Chances } from "../support/faulty-store.js";
import { seededRandom } from "../support/seeded-random.js";
import { Fleet } from "./fleet.js";

const firstSeed = Number(process.env["FLEET_SEED"] ?? 1);
const runs = Number(process.env["FLEET_RUNS"] ?? 25);
const steps = 120;

const weathers: readonly Chances[] = [
  {},
  { hintLost: 0.3, hintRepeated: 0.2, hintDelayed: 0.2, overtaken: 0.2 },
  { replyLost: 0.05, requestLost: 0.05, late: 0.05, refused: 0.05 },
  { slow: 0.2, overtaken: 0.1, replyLost: 0.03, late: 0.03, hintLost: 0.1, hintDelayed: 0.1 },
];

async function run(seed: number): Promise<Map<string, number>> {
  const random = seededRandom(seed);
  const nat = (below: number): number => Math.floor(random() * below);
  const pick = <T>(from: readonly T[]): T => from[nat(from.length)]!;
  const fleet = new Fleet(random, weathers[seed % weathers.length]!);
  for (let i = 0; i < 3; i++) await fleet.start();

  const paths = ["/", "/a", "/a/b", "/a/b/c", "/d", "/e"];
  for (let step = 0; step < steps; step++) {
    const dice = random();
    if (dice < 0.4) {
      const first = pick(paths);
      const asked = random() < 0.2 ? [first, pick(paths)] : [first];
      fleet.acquire(pick(fleet.processes), pick(["ann", "bob", "cat", "dan"]), asked, {
        mode: random() < 0.3 ? "shared" : "exclusive",
        scope: random() < 0.15 ? "tree" : "resource",
        ttl: pick([2_000, 10_000, 600_000]),
        timeout: pick([0, 500, 5_000, 20_000, 20_000]),
        autoExtend: random() < 0.1,
      });
    } else if (dice < 0.6) fleet.release(nat(100));
    else if (dice < 0.65) fleet.extend(nat(100), pick([1_000, 20_000]));
    else if (dice < 0.7) fleet.cancel(nat(100));
    else if (dice < 0.72) fleet.revoke(pick(fleet.processes), pick(paths));
    else if (dice < 0.73) await fleet.kill(nat(100));
    else if (dice < 0.74) pick(fleet.processes).store.down();
    else if (dice < 0.78) for (const { store } of fleet.processes) store.up();
    if (random() < 0.6) await fleet.clock.advance(pick([0, 1, 20, 500, 3_000]));
    fleet.check();
  }
  await fleet.calmDown();
  await fleet.finish();
  return fleet.answers;
}

const seeds = Array.from({ length: runs }, (_, i) => firstSeed + i);

test.each(seeds)(
  "seed %i: nobody holds what another holds, and nothing is left",
  { timeout: 60_000 },
  async (seed) => {
    const answers = await run(seed);
    expect(answers.get("granted")).toBeGreaterThan(0);
  },
);
