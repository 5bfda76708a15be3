/** Several processes on one server. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { collide } from "../../model/naive-locks.js";
import { startAgent } from "../../processes/agents.js";
import { handOverTimes } from "../../processes/hand-over.js";
import { raceForOnePath } from "../../processes/race.js";
import type { FindPlace } from "../network-suite.js";

const processes = 4;
const roundsEach = 40;
/** A waiter that nobody woke looks by itself after a second. */
const pollMs = 1_000;

interface Line {
  readonly what: "begin" | "end";
  readonly agent: string;
  readonly scope: "resource" | "tree";
  readonly paths: readonly string[];
  readonly tokens: readonly number[];
}

export function processCases(find: FindPlace): void {
  // oxlint-disable-next-line vitest/expect-expect -- The race has its own.
  test("Of several processes that want one path, one holds it at each moment, and tokens rise.", {
    timeout: 60_000,
  }, async ({ skip }) => {
    const { url } = await find(skip);
    await raceForOnePath(url, join(await scratchFolder(), "holders"), processes, roundsEach);
  });

  test("Several paths at once, a tree above them and a path below never overlap across processes, and tokens rise.", {
    timeout: 60_000,
  }, async ({ skip }) => {
    const { url } = await find(skip);
    const file = join(await scratchFolder(), "holders");
    const agents = await Promise.all(
      Array.from({ length: processes }, () => startAgent(url, "mix", ["/repo", file, roundsEach])),
    );
    expect(await Promise.all(agents.map((agent) => agent.ended))).toEqual(Array(processes).fill(0));
    const lines = (await readFile(file, "utf8"))
      .trimEnd()
      .split("\n")
      .map((line): Line => JSON.parse(line));
    expect(lines).toHaveLength(processes * roundsEach * 2);
    expect(violations(lines)).toEqual([]);
  });

  test("A waiter in another process is served within 250 ms of a release (p99 of 60), and is woken, not late.", {
    timeout: 60_000,
  }, async ({ skip }) => {
    const { url } = await find(skip);
    const times = await handOverTimes(url, 60);
    expect(times.p99).toBeLessThanOrEqual(250);
    expect(times.p50).toBeLessThanOrEqual(pollMs / 10);
  });
}

/** What in the order of the lines cannot be. */
function violations(lines: readonly Line[]): string[] {
  const found: string[] = [];
  const active = new Map<string, Line>();
  const past: Line[] = [];
  for (const line of lines) {
    if (line.what === "end") {
      active.delete(line.agent);
      continue;
    }
    for (const other of active.values()) {
      if (meet(line, other))
        found.push(`${line.agent} and ${other.agent} hold ${line.paths.join()} and ${other.paths.join()}`);
    }
    const least = Math.min(...line.tokens);
    for (const earlier of past) {
      if (meet(line, earlier) && Math.max(...earlier.tokens) >= least)
        found.push(
          `${line.paths.join()} has token ${least}, and earlier ${earlier.paths.join()} had ${earlier.tokens.join()}`,
        );
    }
    active.set(line.agent, line);
    past.push(line);
  }
  return found;
}

function meet(a: Line, b: Line): boolean {
  const claims = ({ agent, paths, scope }: Line) =>
    paths.map((path) => ({ agentId: agent, path, scope, mode: "exclusive" as const }));
  // An agent is never in its own way, but what it held before has smaller tokens all the same.
  return claims({ ...a, agent: "a" }).some((one) =>
    claims({ ...b, agent: "b" }).some((other) => collide(one, other)),
  );
}

async function scratchFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "engram-lock-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
