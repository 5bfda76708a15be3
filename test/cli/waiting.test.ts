import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Desk } from "./command.js";

let desk: Desk;
beforeEach(() => {
  desk = new Desk();
});
afterEach(() => desk.clear());

const as = (agent: string, ...args: string[]) => desk.run([...args, "--agent", agent]);

describe("a wait", () => {
  test("says who is waited for, why, until when, and the place in the queue", async () => {
    await desk.hold("ann", ["/plan"], { reason: "release 1.8.0" });
    const bob = desk.start(["acquire", "/plan", "--agent", "bob"]);
    await bob.says(/you are/, "stderr");
    const cat = desk.start(["acquire", "/plan", "--agent", "cat"]);
    const [words] = await cat.says(/^engram-lock: waiting for \/plan\n( {4}.*\n)+/, "stderr");
    expect(words).toMatch(/^ {4}held by {3}ann .*for "release 1.8.0"$/m);
    expect(words).toMatch(/^ {4}since {5}\d\d:\d\d:\d\d \(.*\) {3}expires \d\d:\d\d:\d\d \(in .*\)$/m);
    expect(words).toMatch(/^ {4}you are {3}2nd of 2 +Ctrl-C leaves the queue$/m);

    await desk.force("/plan");
    const { code, stdout, stderr } = await bob.ended;
    expect(code).toBe(0);
    expect(stdout).toContain("/plan");
    expect(stderr).toMatch(/engram-lock: got \/plan after \S+ \(token \d+\)\n$/);
  });

  test("with --quiet says nothing", async () => {
    await desk.hold("ann", ["/plan"]);
    const { code, stdout, stderr } = await as("bob", "acquire", "/plan", "--timeout", "600ms", "--quiet");
    expect(code).toBe(75);
    expect(stdout).toBe("");
    expect(stderr).not.toContain("waiting for");
  });

  test("ends with 75 at the timeout, and says how long it was", async () => {
    await desk.hold("ann", ["/plan"]);
    const { code, stderr } = await as("bob", "acquire", "/plan", "--timeout", "400ms");
    expect(code).toBe(75);
    expect(stderr).toMatch(/waited {4}\d+m?s/);
  });

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)("ends on %s with %i, and leaves the queue", async (signal, exitCode) => {
    await desk.hold("ann", ["/plan"]);
    for (const args of [
      ["acquire", "/plan"],
      ["run", "/plan", "--", "echo", "never"],
    ]) {
      const bob = desk.start(["--agent", "bob", ...args]);
      await bob.says(/waiting for \/plan/, "stderr");
      bob.kill(signal);
      const { code, stdout, stderr } = await bob.ended;
      expect(stderr).toContain(`Interrupted by ${signal}`);
      expect(stdout).toBe("");
      expect(code).toBe(exitCode);
    }
    expect((await (await desk.manager()).getResource("/plan")).queueLength).toBe(0);
    await desk.force("/plan");
    expect(await desk.locked()).toEqual({});
  });
});

describe("acquire --hold", () => {
  test("keeps the lock beyond its ttl, and releases it on a signal", async () => {
    const ann = desk.start(["acquire", "/plan", "--agent", "ann", "--hold", "--ttl", "1500ms"]);
    await ann.says(/holding until/, "stderr");
    await expect(desk.hold("bob", ["/plan"], { timeout: "2s" })).rejects.toMatchObject({ code: "held" });
    ann.kill("SIGTERM");
    const { code, stderr } = await ann.ended;
    expect(stderr).toMatch(/released \/plan\n$/);
    expect(code).toBe(0);
    expect(await desk.locked()).toEqual({});
  });

  test("ends with 76 when the lock is taken away", async () => {
    const ann = desk.start(["acquire", "/plan", "--agent", "ann", "--hold"]);
    await ann.says(/holding until/, "stderr");
    await desk.force("/plan");
    const { code, stderr } = await ann.ended;
    expect(stderr).toMatch(/engram-lock: .*"\/plan"/);
    expect(code).toBe(76);
  });
});

test("text from others cannot move the cursor or forge a line", async () => {
  const reason = "x\u202Egnp.exe";
  await desk.hold("ann", ["/plan"], { reason });
  const { stderr } = await as("bob", "acquire", "/plan", "--no-wait");
  const { stdout } = await desk.run(["show", "/plan"]);
  const list = await desk.run(["ls"]);
  for (const text of [stderr, stdout, list.stdout]) expect(text).toContain("x\\u{202e}gnp.exe");
  const json = await desk.run(["ls", "--json"]);
  for (const text of [stderr, stdout, list.stdout, json.stdout]) expect(text).not.toContain("\u202E");
  expect(JSON.parse(json.stdout).locks[0].reason).toBe(reason);
});

test("a store that cannot be opened exits with 69", async () => {
  const file = join(desk.folder, "a-file");
  writeFileSync(file, "");
  const { code, stderr } = await desk.run(["ls", "--store", `file:${file}/locks`]);
  expect(stderr).toContain("a-file");
  expect(code).toBe(69);
});

test("a server that does not answer exits with 69", async () => {
  const { code, stderr } = await desk.run(["acquire", "/plan", "--url", "http://127.0.0.1:1"]);
  expect(stderr).toContain("127.0.0.1:1");
  expect(code).toBe(69);
});

test("a store of an unknown kind exits with 78, and says where it was set", async () => {
  const { code, stderr } = await desk.run(["ls"], { env: { ENGRAM_LOCK_STORE: "floppy:a" } });
  expect(stderr).toContain("floppy:a");
  expect(stderr).toContain("environment");
  expect(code).toBe(78);
});
