/** Processes that race for one path, and write down when each held it. */
import { readFile } from "node:fs/promises";
import { expect } from "vitest";
import { startAgent } from "./agents.js";

/** Expects one holder at each moment, and rising tokens. `file`: where the processes write it down. */
export async function raceForOnePath(
  url: string,
  file: string,
  processes: number,
  roundsEach: number,
): Promise<void> {
  const agents = await Promise.all(
    Array.from({ length: processes }, () => startAgent(url, "race", ["/one", file, roundsEach])),
  );
  const began = performance.now();
  await Promise.all(agents.map((agent) => agent.ended));
  expect(agents.map((agent) => agent.complaints())).toEqual(Array(processes).fill(""));
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
  console.log(`${processes * roundsEach} locks by ${processes} processes in ${seconds.toFixed(1)} s`);
}
