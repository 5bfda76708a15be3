import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Desk, type Printed } from "./command.js";

let desk: Desk;

beforeEach(() => {
  desk = new Desk();
});
afterEach(() => desk.clear());

const as = (agent: string, ...args: string[]) => desk.run([...args, "--agent", agent]);

describe("acquire", () => {
  test("prints lock id, token and expiry", async () => {
    const { code, stdout, stderr } = await as(
      "ann",
      "acquire",
      "/plan",
      "--ttl",
      "10m",
      "--reason",
      "why not",
    );
    expect(stderr).toBe("");
    expect(stdout).toMatch(
      /^RESOURCE PATH +LOCK ID +TOKEN +EXPIRES\n\/plan +\S+ +\d+ +\d\d:\d\d:\d\d \(in (9m59s|10m)\)\n$/,
    );
    expect(code).toBe(0);
  });

  test("prints JSON with times as RFC 3339 and relative", async () => {
    const { locks, waited_ms } = await desk.json([
      "acquire",
      "plan/",
      "--agent",
      "ann",
      "--ttl",
      "10m",
      "--shared",
    ]);
    expect(waited_ms).toBeGreaterThanOrEqual(0);
    expect(locks).toEqual([
      {
        lock_id: expect.any(String),
        resource_path: "/plan",
        agent_id: "ann",
        mode: "shared",
        scope: "resource",
        fencing_token: expect.any(Number),
        acquired_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        expires_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        expires_in_ms: expect.any(Number),
        ttl_ms: 600_000,
        metadata: { host: expect.any(String) },
      },
    ]);
    expect(locks[0]!.expires_in_ms).toBeGreaterThan(590_000);
    expect(locks[0]!.expires_in_ms).toBeLessThanOrEqual(600_000);
  });

  test("is refused in words that say who, why, until when and what next", async () => {
    await desk.hold("ann", ["/plan"], { reason: "release 1.8.0" });
    const { code, stdout, stderr } = await as("bob", "acquire", "/plan", "--no-wait");
    expect(code).toBe(75);
    expect(stdout).toBe("");
    expect(stderr).toMatch(/^engram-lock: .*"\/plan"/);
    expect(stderr).toContain('held by   ann for "release 1.8.0"');
    expect(stderr).toMatch(/since {5}\d\d:\d\d:\d\d \(\d+m?s\) {3}expires \d\d:\d\d:\d\d \(in 9m5\ds\)/);
    expect(stderr).toMatch(/next {6}\S/);
  });

  test("is refused as JSON with the same facts", async () => {
    await desk.hold("ann", ["/plan"], { reason: "release 1.8.0" });
    const { error } = await desk.json(["acquire", "/plan", "--agent", "bob", "--no-wait"]);
    expect(error).toMatchObject({
      code: "held",
      exit_code: 75,
      retryable: true,
      conflicts: [{ agent_id: "ann", standing: "holder", reason: "release 1.8.0", resource_path: "/plan" }],
    });
    expect(error.conflicts[0]!.expires_in_ms).toBeGreaterThan(590_000);
    // Who is in the way is left out of this one when leaving the queue takes long.
    const late = await desk.json(["acquire", "/plan", "--agent", "bob", "--timeout", "50ms"]);
    expect(late.error.waited_ms).toBeGreaterThanOrEqual(50);
  });

  test("takes several paths or none", async () => {
    await desk.hold("ann", ["/b"]);
    expect((await as("bob", "acquire", "/a", "/b", "--no-wait")).code).toBe(75);
    expect(await desk.locked()).toEqual({ "/b": "ann" });
    const { locks } = await desk.json(["acquire", "/c", "/a", "--agent", "bob"]);
    expect(locks.map((lock) => lock.resource_path)).toEqual(["/c", "/a"]);
  });

  test("lets the same agent in again, and says that it was in already", async () => {
    const [lock] = await desk.hold("ann", ["/plan"]);
    const { code, stdout, stderr } = await as("ann", "acquire", "/plan");
    expect(code).toBe(0);
    expect(stdout).toContain(lock!.lockId);
    expect(stderr).toContain("/plan was held by this agent already");
  });

  test("takes a path behind dashes, and bad input is refused with 64", async () => {
    expect((await desk.run(["acquire", "--agent", "ann", "--", "-odd"])).stdout).toContain("/-odd");
    const bad = await as("ann", "acquire", "/a/../b");
    expect(bad.code).toBe(64);
    expect(bad.stderr).toContain('"/a/../b"');
    expect((await as("ann", "acquire", "/a", "--ttl", "forever")).code).toBe(64);
    expect((await as("a\nb", "acquire", "/a")).code).toBe(64);
  });

  test("with --quiet prints nothing", async () => {
    expect(await as("ann", "acquire", "/plan", "--quiet")).toMatchObject({
      code: 0,
      stdout: "",
      stderr: "",
    });
  });
});

describe("release", () => {
  test("gives back one's own lock", async () => {
    await desk.hold("ann", ["/plan"]);
    expect(await as("ann", "release", "/plan")).toMatchObject({
      code: 0,
      stdout: "/plan released\n",
      stderr: "",
    });
    expect(await desk.locked()).toEqual({});
  });

  test("of somebody else's lock exits with 77 and names the holder", async () => {
    await desk.hold("ann", ["/plan"]);
    const { code, stderr } = await as("bob", "release", "/plan");
    expect(code).toBe(77);
    expect(stderr).toContain("held by bob, but by ann");
    expect(await desk.locked()).toEqual({ "/plan": "ann" });
  });

  test("of nothing exits with 66, and the other paths are released all the same", async () => {
    const [lock] = await desk.hold("ann", ["/b"]);
    const { code, stdout } = await as("ann", "release", "/a", "/b", "--json");
    expect(code).toBe(66);
    expect(JSON.parse(stdout)).toMatchObject({
      released: [{ resource_path: "/b", lock_id: lock!.lockId, released: true }],
      errors: [{ resource_path: "/a", code: "no_such_lock" }],
    });
  });

  test("--mine gives back everything of the agent and nothing else", async () => {
    await desk.hold("ann", ["/a", "/b"]);
    await desk.hold("bob", ["/c"]);
    expect((await as("ann", "release", "--mine")).stdout).toBe("/a released\n/b released\n");
    expect((await as("ann", "release", "--mine")).stdout).toBe("ann holds nothing.\n");
    expect(await desk.locked()).toEqual({ "/c": "bob" });
  });

  test("--force ends somebody else's lock, when one is sure", async () => {
    await desk.hold("ann", ["/plan"]);
    const { code, stdout } = await as(
      "bob",
      "release",
      "/plan",
      "--force",
      "--reason",
      "ann is gone",
      "--yes",
    );
    expect(stdout).toBe("/plan taken from ann\n");
    expect(code).toBe(0);
    const again = await as("bob", "release", "/plan", "--force", "--reason", "ann is gone", "--yes");
    expect(again.code).toBe(66);
    expect(again.stderr).toContain("not locked by anybody");
  });
});

describe("extend", () => {
  test("sets the expiry to now + ttl", async () => {
    await desk.hold("ann", ["/plan"], { ttl: "1m" });
    expect((await as("ann", "extend", "/plan", "--ttl", "2h")).stdout).toMatch(
      /^\/plan .*\(in (1h59m|2h)\)$/m,
    );
    const { locks } = await desk.json(["extend", "/plan", "--ttl", "30s", "--agent", "ann"]);
    expect(locks).toMatchObject([{ resource_path: "/plan", ttl_ms: 30_000 }]);
    expect(locks[0]!.expires_in_ms).toBeLessThanOrEqual(30_000);
  });

  test("of nothing exits with 66, of somebody else's lock with 77", async () => {
    expect((await as("ann", "extend", "/plan")).code).toBe(66);
    await desk.hold("bob", ["/plan"]);
    expect((await as("ann", "extend", "/plan")).code).toBe(77);
  });
});

describe("check", () => {
  test("exits with 0 for what is free or mine", async () => {
    await desk.hold("ann", ["/mine"]);
    const { code, stdout } = await as("ann", "check", "/mine", "/free");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^mine {2}\/mine {3}expires .*\nfree {2}\/free\n$/);
  });

  test("exits with 75 for what others hold, and says who", async () => {
    await desk.hold("ann", ["/theirs"], { reason: "busy" });
    const { code, stdout } = await as("bob", "check", "/theirs", "/free");
    expect(code).toBe(75);
    expect(stdout).toMatch(/^held {2}\/theirs\n {4}held by {3}ann for "busy"\n/);
    expect(await desk.json(["check", "/theirs", "/free", "--agent", "bob"])).toMatchObject({
      mine: [],
      theirs: [{ resource_path: "/theirs", conflicts: [{ agent_id: "ann" }] }],
      free: ["/free"],
    });
  });

  test("--stdin0 reads as many paths as there are", async () => {
    await desk.hold("ann", ["/repo/file 333"]);
    const paths = Array.from({ length: 450 }, (_, index) => `/repo/file ${index}`);
    const { code, stdout } = await desk.run(["check", "--stdin0", "--agent", "bob", "--json"], {
      input: `${paths.join("\0")}\0`,
    });
    expect(code).toBe(75);
    const { theirs, free }: Printed = JSON.parse(stdout);
    expect(theirs.map((each) => each.resource_path)).toEqual(["/repo/file 333"]);
    expect(free).toHaveLength(449);
  });

  test("--stdin0 with nothing on stdin is fine", async () => {
    expect((await desk.run(["check", "--stdin0"], { input: "" })).code).toBe(0);
  });
});

describe("ls", () => {
  const paths = async (...args: string[]) =>
    (await desk.json(["ls", ...args])).locks.map((lock) => lock.resource_path);

  test("shows a table, or that there is nothing", async () => {
    expect((await desk.run(["ls"])).stdout).toBe("no locks\n");
    await desk.hold("ann", ["/plan"], { reason: "because" });
    const { stdout } = await desk.run(["ls"]);
    expect(stdout).toMatch(
      /^RESOURCE PATH +HELD BY +MODE +HELD FOR +EXPIRES +TOKEN +REASON\n\/plan +ann +exclusive .* because\n$/,
    );
  });

  test("filters", async () => {
    await desk.hold("ann", ["/builds/a", "/builds/a/b"]);
    await desk.hold("bob", ["/docs"], { ttl: "20s" });
    expect(await paths()).toEqual(["/builds/a", "/builds/a/b", "/docs"]);
    expect(await paths("--agent", "bob")).toEqual(["/docs"]);
    expect(await paths("--mine", "--agent", "ann")).toEqual(["/builds/a", "/builds/a/b"]);
    expect(await paths("--prefix", "/builds/a/b")).toEqual(["/builds/a/b"]);
    expect(await paths("--type", "docs")).toEqual(["/docs"]);
    expect(await paths("--expiring", "1m")).toEqual(["/docs"]);
  });

  test("--waiting shows only what somebody waits for, and how many do", async () => {
    await desk.hold("ann", ["/a", "/b"]);
    const waiter = desk.start(["acquire", "/b", "--agent", "bob"]);
    await waiter.says(/waiting for \/b/, "stderr");
    expect((await desk.json(["ls", "--waiting"])).locks).toMatchObject([{ resource_path: "/b", waiters: 1 }]);
    expect((await desk.run(["ls", "--waiting"])).stdout).toMatch(/WAITING[^]*^\/b .* 1 /m);
  });
});

describe("show", () => {
  test("says that a path is free", async () => {
    expect(await desk.run(["show", "/plan"])).toMatchObject({ code: 0, stdout: "/plan is free\n" });
    expect(await desk.json(["show", "/plan"])).toEqual({
      resource_path: "/plan",
      held: false,
      fencing_token: null,
      holders: [],
      waiters: [],
      queue_length: 0,
      covered_by: [],
    });
  });

  test("shows holders and queue", async () => {
    await desk.hold("ann", ["/plan"], { reason: "release" });
    const waiter = desk.start(["acquire", "/plan", "--agent", "bob", "--reason", "hotfix"]);
    await waiter.says(/waiting for/, "stderr");
    const { stdout } = await desk.run(["show", "/plan"]);
    expect(stdout).toMatch(/^\/plan is held, 1 waiting\n {4}held by {3}ann .*for "release"\n/);
    expect(stdout).toMatch(/^1 +bob .*for "hotfix" +exclusive/m);
    const state = await desk.json(["show", "/plan"]);
    expect(state).toMatchObject({
      held: true,
      queue_length: 1,
      waiters: [{ agent_id: "bob", reason: "hotfix" }],
    });
    expect(state.fencing_token).toBe(state.holders[0]!.fencing_token);
  });

  test("shows a tree above that covers the path", async () => {
    await desk.hold("ann", ["/repo"], { scope: "tree" });
    const { stdout } = await desk.run(["show", "/repo/src/a.ts"]);
    expect(stdout).toMatch(
      /^\/repo\/src\/a.ts is held\n {4}held by {3}ann.*\n {4}on {8}\/repo and all below, exclusive\n/,
    );
  });
});
