import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { eventSchema } from "../../src/protocol/event.js";
import { Desk, type Running } from "./command.js";

let desk: Desk;
beforeEach(async () => {
  desk = new Desk();
  await desk.serve();
});
afterEach(() => desk.clear());

/** Takes and gives back, until the one that watches has said it: only then it surely listens. */
async function untilSaid(watching: Running, pattern: RegExp, path: string): Promise<RegExpExecArray> {
  const said = watching.says(pattern);
  let isSaid = false;
  const settled = said.finally(() => (isSaid = true));
  while (!isSaid) {
    await desk.run(["acquire", path, "--agent", "probe", "--quiet"]);
    await desk.run(["release", path, "--agent", "probe", "--quiet"]);
  }
  return settled;
}

describe("watch on a server", { timeout: 60_000 }, () => {
  test("writes a line for each event below the prefix, of the types asked for, until Ctrl-C", async () => {
    const watching = desk.start(["watch", "/repo", "--types", "acquired,released"]);
    await untilSaid(watching, /released +\/repo\/probe/, "/repo/probe");
    await desk.run(["acquire", "/other", "--agent", "ann"]);
    await desk.run(["acquire", "/repo/a.ts", "--agent", "ann", "--reason", "rename", "--ttl", "10m"]);
    await desk.run(["extend", "/repo/a.ts", "--agent", "ann"]);
    await watching.says(
      /^\d\d:\d\d:\d\d acquired {2}\/repo\/a\.ts, exclusive: ann for "rename", token \d+, expires .* \(in .*\)\n$/m,
    );
    await desk.run(["release", "/repo/a.ts", "--agent", "ann"]);
    await watching.says(/released {2}\/repo\/a\.ts, exclusive: ann for "rename", held for .*\n$/);
    watching.kill("SIGINT");
    const { code, stdout, stderr } = await watching.ended;
    expect(code).toBe(130);
    expect(stdout).not.toMatch(/other|extended/);
    expect(stderr).toBe("engram-lock: watching until Ctrl-C or SIGTERM\n");
  });

  test("--json writes an object on each line, and --since goes on behind the last one", async () => {
    const watching = desk.start(["watch", "--json", "--quiet"]);
    await untilSaid(watching, /"type":"released".*\n/, "/probe");
    watching.kill("SIGTERM");
    const { code, stdout, stderr } = await watching.ended;
    expect([code, stderr]).toEqual([143, ""]);
    const seen = stdout.trimEnd().split("\n").map(eventOf);
    await desk.run(["acquire", "/missed", "--agent", "ann"]);

    const since = String(seen.at(-1)!.id);
    const again = desk.start(["watch", "--json", "--quiet", "--since", since, "--types", "acquired"]);
    const [line] = await again.says(/.*"\/missed".*\n/);
    expect(eventOf(line)).toMatchObject({ type: "acquired", agent_id: "ann" });
    again.kill("SIGTERM");
    await again.ended;
  });

  test("says that events are missing when the server does not know the id", async () => {
    const watching = desk.start(["watch", "/plan", "--since", "7"]);
    await watching.says(/^\d\d:\d\d:\d\d reset {5}events are missing here; `engram-lock ls` shows/);
    watching.kill("SIGTERM");
    expect((await watching.ended).code).toBe(143);
  });

  test("ends when nobody reads it any more", async () => {
    const watching = desk.start(["watch", "--quiet", "--json"]);
    await untilSaid(watching, /probe/, "/probe");
    watching.closeStdout();
    // The first write after that finds out.
    await desk.run(["acquire", "/second", "--agent", "ann"]);
    await desk.run(["acquire", "/third", "--agent", "ann"]);
    expect(await watching.ended).toMatchObject({ code: 0, stderr: "" });
  });
});

/** Whatever the schema does not know would be missing in the copy. */
function eventOf(line: string) {
  const json: unknown = JSON.parse(line);
  const event = eventSchema.parse(json);
  expect(event).toEqual(json);
  return event;
}
