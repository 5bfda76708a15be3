/**
 * Seeded random commands, carried out by the core and by a naive model, compared after every step.
 *
 * `MODEL_SEED=7 MODEL_RUNS=10000 npx vitest run test/model` looks elsewhere and further; a failure prints its seed and the shortest commands that
 * still fail.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Mode, Scope } from "../../src/core/claim.js";
import type { Wrong } from "./answers.js";
import { World } from "./world.js";

const seed = Number(process.env["MODEL_SEED"] ?? 20_240_302);
const runs = Number(process.env["MODEL_RUNS"] ?? 600);
const most = { minLength: 1, maxLength: 80, size: "max" } as const;

const paths = ["/", "/a", "/a/b", "/a/b/c", "/a/d", "/ab", "/e"];
const agents = ["ann", "bob", "cat", "d/d%"];

const agent = fc.constantFrom(...agents);
const path = fc.constantFrom(...paths);
const mode = fc.constantFrom<Mode>("exclusive", "exclusive", "shared");
const scope = fc.constantFrom<Scope>("resource", "resource", "resource", "tree");
const which = fc.nat(20);
const process_ = fc.nat(2);
/** Over which past a plan is made; mostly over the present. */
const staleness = fc.constantFrom(0, 0, 0, 1, 2, 4);
const ttlMs = fc.constantFrom(5, 1000, 30_000, 60_000);
const wrong = fc.constantFrom<Wrong>("nothing", "nothing", "nothing", "agent", "lock id");

const everyAnswer = [
  "granted",
  "re-acquired",
  "repeated",
  "queued",
  "held",
  "mismatch",
  "too many locks",
  "too many waiters",
  ...["granted", "waiting", "gone", "mismatch", "too many locks"].map((kind) => `promote: ${kind}`),
  ...["released", "none", "not holder"].map((kind) => `release: ${kind}`),
  ...["extended", "lost", "not holder"].map((kind) => `extend: ${kind}`),
  ...["aborted", "deadlock", "closed"].map((cause) => `withdrawn: ${cause}`),
  "revoked",
  "expired by timer",
  "expired by sweep",
  "abandoned",
  "retired",
  "handed on",
  "turn announced",
  "deadlock",
  "deadlock without a newcomer",
  "past plan applied",
  "past plan refused",
  "late",
  "killed",
];

type Command = (world: World) => void;

function command<Arguments extends readonly unknown[]>(
  name: string,
  parts: { [Index in keyof Arguments]: fc.Arbitrary<Arguments[Index]> },
  run: (world: World, ...parts: Arguments) => void,
): fc.Arbitrary<Command> {
  return fc.tuple<Arguments extends unknown[] ? Arguments : never>(...(parts as never)).map((values) => {
    const act = (world: World): void => run(world, ...(values as unknown as Arguments));
    return Object.assign(act, { toString: () => `${name}(${JSON.stringify(values).slice(1, -1)})` });
  });
}

const acquire = command(
  "acquire",
  [
    process_,
    agent,
    fc.oneof(
      { weight: 3, arbitrary: fc.tuple(path) },
      { weight: 1, arbitrary: fc.uniqueArray(path, { minLength: 2, maxLength: 3 }) },
    ),
    mode,
    scope,
    ttlMs,
    fc.constantFrom("not", 20, 2000, 20_000, "for ever", "for ever", "for ever"),
    staleness,
  ] as const,
  (world, at, agentId, asked, itsMode, itsScope, ttl, waits, past) => {
    const limits: Record<string, number | null | undefined> = { not: undefined, "for ever": null };
    const until = typeof waits === "number" ? world.now + waits : limits[waits];
    const claim = { agentId, mode: itsMode, scope: itsScope, paths: asked, ttlMs: ttl };
    world.acquire(world.managers[at]!, claim, until, past);
  },
);

const commands = fc.oneof(
  { weight: 12, arbitrary: acquire },
  {
    weight: 6,
    arbitrary: command("promote", [which, staleness] as const, (world, n, past) => world.promoteOne(n, past)),
  },
  {
    weight: 6,
    arbitrary: command(
      "release",
      [which, wrong, fc.constantFrom(true, true, false), process_, staleness] as const,
      (world, n, what, serving, at, past) => world.release(n, what, serving, world.managers[at]!, past),
    ),
  },
  {
    weight: 3,
    arbitrary: command(
      "extend",
      [which, wrong, ttlMs, process_, staleness] as const,
      (world, n, what, ttl, at, past) => world.extend(n, what, ttl, world.managers[at]!, past),
    ),
  },
  {
    weight: 1,
    arbitrary: command("revoke", [path, process_, staleness] as const, (world, at, by, past) =>
      world.revoke(at, world.managers[by]!, past),
    ),
  },
  {
    weight: 2,
    arbitrary: command(
      "expire",
      [path, fc.constantFrom("timer", "sweep"), process_, staleness] as const,
      (world, at, cause, by, past) => world.expire(at, cause, world.managers[by]!, past),
    ),
  },
  {
    weight: 2,
    arbitrary: command("withdraw", [which, staleness] as const, (world, n, past) =>
      world.withdrawOne(n, past),
    ),
  },
  {
    weight: 1,
    arbitrary: command("retire", [which, staleness] as const, (world, n, past) => world.retire(n, past)),
  },
  { weight: 1, arbitrary: command("repeat", [which] as const, (world, n) => world.repeat(n)) },
  {
    weight: 2,
    arbitrary: command("pass", [fc.constantFrom(1, 5, 50, 990, 11_000, 31_000)] as const, (world, ms) =>
      world.pass(ms),
    ),
  },
  {
    weight: 1,
    arbitrary: command("kill", [process_] as const, (world, at) => world.kill(world.managers[at]!)),
  },
);

const settings = fc.record({
  limits: fc.record({
    maxLocksPerAgent: fc.constantFrom(1, 2, 3, 100, 100),
    maxWaitersPerAgent: fc.constantFrom(2, 4, 100, 100),
    maxWaitersPerResource: fc.constantFrom(1, 3, 100, 100),
  }),
  uncertainty: fc.constantFrom(0, 0, 3, 40),
});

test(`whatever happens, the core does what brute force says (seed ${seed}, ${runs} runs)`, {
  timeout: 120_000,
}, () => {
  const answers = new Map<string, number>();
  fc.assert(
    fc.property(settings, fc.array(commands, most), (setting, steps) => {
      const world = new World(setting, answers);
      for (const step of steps) {
        step(world);
        world.check();
      }
      world.finish();
    }),
    { seed, numRuns: runs, ...(process.env["MODEL_PATH"] ? { path: process.env["MODEL_PATH"] } : {}) },
  );
  // The runs are worth something only if they get everywhere.
  expect([...answers.keys()].sort()).toEqual([...everyAnswer].sort());
});
