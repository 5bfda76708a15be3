import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Desk } from "./command.js";

let desk: Desk;
beforeAll(() => {
  desk = new Desk();
});
afterAll(() => desk.clear());

const verbs = ["run", "acquire", "release", "extend", "check", "ls", "show", "watch", "serve", "version"];

describe("help", () => {
  test("lists every verb, where locks are, who acts, and the exit codes", async () => {
    const { code, stdout, stderr } = await desk.run(["--help"]);
    expect(code).toBe(0);
    expect(stderr).toBe("");
    for (const verb of verbs) expect(stdout).toMatch(new RegExp(`^ {2}${verb}\\b`, "m"));
    expect(stdout).toContain(".engram-lock/config.json");
    expect(stdout).toContain("user@host/terminal");
    expect(stdout).toContain("75 held");
  });

  test.each(verbs)("of %s shows its own flags and the common ones", async (verb) => {
    const { code, stdout } = await desk.run([verb, "--help"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^Usage: engram-lock ${verb}`));
    expect(stdout).toContain("--store <url>");
    expect(await desk.run(["help", verb])).toMatchObject({ code: 0, stdout });
  });

  test("of run says what the command finds in its environment, and that each run is an agent of its own", async () => {
    const { stdout } = await desk.run(["run", "-h"]);
    expect(stdout).toContain("PATH... -- COMMAND");
    expect(stdout).toContain("ENGRAM_LOCK_FENCING_TOKEN");
    expect(stdout).toContain("AGENT/run-");
    expect(stdout).toContain("/dev/tty");
  });

  test("is what a call without anything gets, as a refusal", async () => {
    const { code, stdout, stderr } = await desk.run([]);
    expect(code).toBe(64);
    expect(stdout).toBe("");
    expect(stderr).toContain("Usage: engram-lock");
  });
});

describe("the version", () => {
  test("is printed alone, in words, and as JSON", async () => {
    const { stdout } = await desk.run(["--version"]);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\S*\n$/);
    const version = stdout.trim();
    expect((await desk.run(["version"])).stdout).toContain(
      `engram-lock ${version} (Node.js ${process.versions.node}`,
    );
    expect(await desk.json(["version"])).toMatchObject({ version, node: process.versions.node });
  });
});

describe("a command line that makes no sense exits with 64 and says what is wrong", () => {
  test.each([
    ["an unknown command", ["acquir", "/a"], "Did you mean acquire?"],
    ["an unknown flag", ["acquire", "/a", "--time", "1s"], "unknown option '--time'"],
    ["and where to look", ["acquire", "/a", "--time", "1s"], "next      `engram-lock acquire --help` shows"],
    ["also for what is no command", ["lock", "/a"], "next      `engram-lock --help` shows"],
    ["a flag without its value", ["acquire", "/a", "--ttl"], "argument missing"],
    ["no path", ["acquire"], "at least one path"],
    ["no path before the dashes", ["run", "--", "true"], "at least one path before --"],
    ["no command behind the dashes", ["run", "/a", "--"], "Which command?"],
    ["run without dashes", ["run", "/a", "true"], "Which command?"],
    ["two commands", ["run", "/a", "--shell", "true", "--", "true"], "not both"],
    [
      "an unknown way to lose",
      ["run", "/a", "--on-lost", "cry", "--", "true"],
      "Allowed choices are term, kill, warn",
    ],
    [
      "an exit code out of range",
      ["run", "/a", "--conflict-exit-code", "256", "--", "true"],
      "from 0 to 255",
    ],
    ["a report that cannot be written", ["run", "/a", "--report", "/nowhere/r", "--", "true"], "/nowhere/r"],
    ["a bad timeout", ["acquire", "/a", "--timeout", "5"], '"5"'],
    ["a bad time to kill", ["run", "/a", "--kill-after", "soon", "--", "true"], '"soon"'],
    ["both ways not to wait", ["acquire", "/a", "--no-wait", "--timeout", "1s"], "not both"],
    ["two places", ["ls", "--url", "http://127.0.0.1:1", "--store", "memory:"], "not both"],
    ["a url that is none", ["ls", "--url", "file:/tmp/x"], "--store"],
    ["show with two paths", ["show", "/a", "/b"], "Expected 1 argument"],
    ["release with paths and --mine", ["release", "/a", "--mine"], "not both"],
    ["a reason without force", ["release", "/a", "--reason", "x"], "--force"],
    ["force without a reason", ["release", "/a", "--force", "--yes"], "--reason"],
    ["force without anybody to ask", ["release", "/a", "--force", "--reason", "x"], "--yes"],
    ["a port that is none", ["serve", "--listen", "127.0.0.1"], "HOST:PORT"],
    ["watching two prefixes", ["watch", "/a", "/b"], "Expected 1 argument"],
    ["watching what never happens", ["watch", "--types", "acquired,stolen"], "acquired, extended, released"],
    ["watching from nowhere", ["watch", "--since", "yesterday"], "the id of an event"],
    ["watching a store", ["watch"], "next      Let everybody use one server: `engram-lock serve`"],
    ["a server that serves a server", ["serve", "--url", "http://127.0.0.1:1"], "--store"],
  ])("%s", async (_, args, words) => {
    const { code, stdout, stderr } = await desk.run(args);
    expect(stderr).toContain(words);
    expect(stderr).toMatch(/^engram-lock: /);
    expect(stdout).toBe("");
    expect(code).toBe(64);
  });

  test("and as JSON where JSON is asked for", async () => {
    expect(await desk.json(["ls", "--nope"])).toMatchObject({ error: { code: "usage", exit_code: 64 } });
    const run = await desk.run(["run", "/a", "--json", "--", "true"]);
    expect(JSON.parse(run.stdout)).toMatchObject({ error: { next: ["Use --report FILE."] } });
    expect(await desk.json(["acquire"])).toMatchObject({ error: { code: "usage", exit_code: 64 } });
  });
});
