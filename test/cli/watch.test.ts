import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Desk } from "./command.js";

let desk: Desk;
beforeEach(() => {
  desk = new Desk();
});
afterEach(() => desk.clear());

describe.each(["a store", "a server"])("ls --watch on %s", { timeout: 30_000 }, (place) => {
  beforeEach(async () => {
    if (place === "a server") await desk.serve();
  });

  test("writes a line for each lock that comes, changes and goes", async () => {
    await desk.run(["acquire", "/plan", "--agent", "ann", "--reason", "release", "--ttl", "10m"]);
    const watching = desk.start(["ls", "--watch"]);
    await watching.says(
      /^\d\d:\d\d:\d\d added {3}\/plan, exclusive: ann .*"release", token \d+, expires .*\n$/,
    );
    await desk.run(["extend", "/plan", "--agent", "ann", "--ttl", "1h"]);
    await watching.says(/changed \/plan.* \(in (59m5\ds|1h)\)\n$/);
    await desk.run(["release", "/plan", "--agent", "ann"]);
    await watching.says(/removed \/plan, exclusive: ann .*"release"\n$/);
    watching.kill("SIGINT");
    const { code, stdout, stderr } = await watching.ended;
    expect(code).toBe(130);
    expect(stdout.match(/\n/g)).toHaveLength(3);
    expect(stderr).toBe("engram-lock: watching until Ctrl-C or SIGTERM\n");
  });

  test("--json writes an object on each line, with the queue when it is asked for", async () => {
    await desk.hold("ann", ["/plan"]);
    const watching = desk.start(["ls", "--watch", "--waiting", "--json", "--quiet"]);
    const waiting = desk.start(["acquire", "/plan", "--agent", "bob"]);
    await watching.says(/"added".*"waiters":1/);
    waiting.kill("SIGTERM");
    await watching.says(/"removed"/);
    watching.kill("SIGTERM");
    const { code, stdout, stderr } = await watching.ended;
    expect([code, stderr]).toEqual([143, ""]);
    const changes = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(changes[0]).toMatchObject({
      change: "added",
      at: expect.stringMatching(/Z$/),
      resource_path: "/plan",
      agent_id: "ann",
    });
    expect(changes.at(-1)).toMatchObject({ change: "removed", resource_path: "/plan" });
  });
});

test("ls --watch ends when nobody reads it any more", async () => {
  await desk.hold("ann", ["/first"]);
  const watching = desk.start(["ls", "--watch", "--quiet", "--json"]);
  await watching.says(/first/);
  watching.closeStdout();
  await desk.hold("ann", ["/second"]);
  expect(await watching.ended).toMatchObject({ code: 0, stderr: "" });
});

test("ls --watch says so when the server has gone", async () => {
  await desk.serve();
  const watching = desk.start(["ls", "--watch"]);
  await watching.says(/watching/, "stderr");
  await desk.stopServers();
  const { code, stderr } = await watching.ended;
  expect(code).toBe(69);
  expect(stderr).toMatch(/next {6}Check that the store or the server can be reached/);
});
