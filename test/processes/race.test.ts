/** Eight processes race for one path on one embedded store. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { scratch, startAgent } from "./agents.js";

const processes = 8;
const roundsEach = 125;

test("Of eight processes that take one path 1,000 times, one holds it at each moment, and tokens rise.", {
  timeout: 90_000,
}, async () => {
  const { url, directory } = await scratch();
  const file = join(directory, "holders");
  const agents = await Promise.all(
    Array.from({ length: processes }, () => startAgent(url, "race", ["/one", file, roundsEach])),
  );
  const began = performance.now();
  expect(await Promise.all(agents.map((agent) => agent.ended))).toEqual(Array(processes).fill(0));
  const seconds = (performance.now() - began) / 1_000;

  const lines = (await readFile(file, "utf8")).trimEnd().split("\n");
  expect(lines).toHaveLength(processes * roundsEach * 2);
  const holders = new Map<string, number>();
  let last = 0;
  // Each holder wrote its end before the next one began: the lines come in pairs.
  for (let n = 0; n < lines.length; n += 2) {
    const [begin, agent = "", token] = lines[n]!.split(" ");
    expect([begin, lines[n + 1]]).toEqual(["begin", `end ${agent} ${token}`]);
    expect(Number(token)).toBeGreaterThan(last);
    last = Number(token);
    holders.set(agent, (holders.get(agent) ?? 0) + 1);
  }
  expect([...holders.values()]).toEqual(Array(processes).fill(roundsEach));
  console.log(`1,000 locks by eight processes in ${seconds.toFixed(1)} s`);
});
