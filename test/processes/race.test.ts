/** Eight processes race for one path on one embedded store. */
import { join } from "node:path";
import { test } from "vitest";
import { scratch } from "./agents.js";
import { raceForOnePath } from "./race.js";

// oxlint-disable-next-line vitest/expect-expect -- The race has its own.
test("Of eight processes that take one path 1,000 times, one holds it at each moment, and tokens rise.", {
  timeout: 90_000,
}, async () => {
  const { url, directory } = await scratch();
  await raceForOnePath(url, join(directory, "holders"), 8, 125);
});
