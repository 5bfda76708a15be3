/** Stops a holder beyond its ttl as often as it is told to: `npm run pauses -- --rounds 50`. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { pauseInRounds } from "./rounds.js";

const { values } = parseArgs({ options: { rounds: { type: "string", default: "50" } } });
const rounds = Number(values.rounds);
if (!Number.isSafeInteger(rounds) || rounds < 1) {
  console.error("Usage: npm run pauses -- [--rounds N]");
  process.exit(64);
}
const directory = await mkdtemp(join(tmpdir(), "engram-lock-pauses-"));
const { lost, refused, written } = await pauseInRounds({ rounds, url: `file:${join(directory, "store")}` });
await rm(directory, { recursive: true });
console.log(
  `${rounds} pauses beyond the ttl: ${lost} times the first look said lost, ${refused} late writes refused, ${written} writes of holders taken.`,
);
