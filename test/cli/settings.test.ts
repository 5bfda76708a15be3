import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { hostname, userInfo } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { findPlace } from "../../src/cli/settings.js";
import { Desk } from "./command.js";

let desk: Desk;
beforeEach(() => {
  desk = new Desk();
});
afterEach(() => desk.clear());

const projectFile = () => join(desk.project, ".engram-lock/config.json");
const userFile = () => join(desk.home, ".config/engram-lock/config.json");

function write(path: string, content: unknown): void {
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
}

/** The agent that acquires when nothing but the options says who. */
async function agentOf(options: { args?: string[]; env?: Record<string, string> } = {}): Promise<string> {
  const { locks } = await desk.json(["acquire", "/who", ...(options.args ?? [])], { env: options.env ?? {} });
  await desk.run(["release", "/who", "--agent", locks[0]!.agent_id]);
  return locks[0]!.agent_id;
}

describe("a setting", () => {
  test("is taken from the flag, the environment, the project's file, the user's file, the default, in this order", async () => {
    expect(await agentOf()).toBe(`${userInfo().username}@${hostname()}`);
    write(userFile(), { agent: "user-file" });
    expect(await agentOf()).toBe("user-file");
    write(projectFile(), { agent: "project-file" });
    expect(await agentOf()).toBe("project-file");
    const env = { ENGRAM_LOCK_AGENT: "environment" };
    expect(await agentOf({ env })).toBe("environment");
    expect(await agentOf({ env, args: ["--agent", "flag"] })).toBe("flag");
  });

  test("may stand before the command or behind it", async () => {
    const { stdout } = await desk.run(["--agent", "ann", "--json", "acquire", "/plan"]);
    expect(JSON.parse(stdout).locks[0]!.agent_id).toBe("ann");
  });

  test("of the user is found in XDG_CONFIG_HOME too", async () => {
    const config = join(desk.folder, "xdg");
    write(join(config, "engram-lock/config.json"), { agent: "xdg" });
    expect(await agentOf({ env: { XDG_CONFIG_HOME: config } })).toBe("xdg");
  });
});

describe("the locks are", () => {
  const storeOf = async (options: { env?: Record<string, string>; cwd?: string } = {}, ...args: string[]) => {
    const { stdout } = await desk.run(["serve", "--print-config", ...args], options);
    return JSON.parse(stdout).store;
  };

  test("in the nearest .engram-lock/ above the working directory", async () => {
    const below = join(desk.project, "src/deep");
    mkdirSync(below, { recursive: true });
    await desk.run(["acquire", "/plan", "--agent", "ann"], { cwd: below });
    expect(existsSync(join(desk.project, ".engram-lock/locks"))).toBe(true);
    expect((await desk.json(["ls"])).locks).toHaveLength(1);
  });

  test("in the user's state directory where there is no project", async () => {
    rmSync(join(desk.project, ".engram-lock"), { recursive: true });
    await desk.run(["acquire", "/plan", "--agent", "ann"]);
    expect(existsSync(join(desk.home, ".local/state/engram-lock/locks"))).toBe(true);
    const env = { XDG_STATE_HOME: join(desk.folder, "state") };
    expect((await desk.json(["ls"], { env })).locks).toEqual([]);
    expect(existsSync(join(desk.folder, "state/engram-lock/locks"))).toBe(true);
  });

  test("for a server, in .engram-lock/ in the working directory itself", async () => {
    const below = join(desk.project, "src");
    mkdirSync(below);
    const value = `file:${join(below, ".engram-lock/locks")}`;
    expect(await storeOf({ cwd: below })).toEqual({ value, from: "default" });
  });

  test("where flag, environment and files say; a path in a file is relative to that file", async () => {
    write(projectFile(), { store: "file:./here" });
    expect(await storeOf()).toEqual({
      value: `file:${join(desk.project, ".engram-lock/here")}`,
      from: "project file",
    });
    const env = { ENGRAM_LOCK_STORE: "file:there" };
    expect(await storeOf({ env })).toEqual({
      value: `file:${join(desk.project, "there")}`,
      from: "environment",
    });
    expect(await storeOf({ env }, "--store", "memory:")).toEqual({ value: "memory:", from: "flag" });
  });
});

test("a store of one command alone is used, and said to be just that", async () => {
  const { code, stderr } = await desk.run(["acquire", "/plan", "--store", "memory:"]);
  expect(code).toBe(0);
  expect(stderr).toMatch(/^engram-lock: memory: is a store of this command alone/);
});

describe("a configuration file that is wrong exits with 78, names the file and says what is wrong", () => {
  test.each([
    ["no JSON", "{", "not JSON"],
    ["no object", "[]", "expected an object"],
    ["an unknown key", '{"ulr": "x"}', 'unknown key "ulr": expected url, store, agent'],
    ["a value of another type", '{"agent": 7}', '"agent" is 7'],
    ["two places", '{"url": "http://127.0.0.1:1", "store": "memory:"}', "exclude each other"],
    ["a url that is none", '{"url": "ftp://x"}', '"ftp://x"'],
  ])("%s", async (_, content, words) => {
    write(projectFile(), content);
    const { code, stderr } = await desk.run(["ls"]);
    expect(stderr).toContain(words);
    expect(code).toBe(78);
  });

  test("and so do two places in the environment", async () => {
    const env = { ENGRAM_LOCK_URL: "http://127.0.0.1:1", ENGRAM_LOCK_STORE: "memory:" };
    const { code, stderr } = await desk.run(["ls"], { env });
    expect(stderr).toContain("ENGRAM_LOCK_URL and ENGRAM_LOCK_STORE");
    expect(code).toBe(78);
  });
});

describe("a server at a unix socket", () => {
  test.each([
    ["unix:/run/lock.sock", "unix:/run/lock.sock"],
    ["unix:///run/lock.sock", "unix:/run/lock.sock"],
    ["unix:run/with space.sock", "unix:/work/run/with space.sock"],
  ])("is named by its path: %s", (url, place) => {
    const around = { env: {}, workingDirectory: "/work" };
    const expected = { value: { kind: "server", url: place }, origin: "flag" };
    expect(findPlace({ url }, around)).toEqual(expected);
    expect(findPlace({ store: url }, around)).toEqual(expected);
  });

  test("is looked for where the file stands that names it", () => {
    write(projectFile(), { url: "unix:lock.sock" });
    const { value } = findPlace({}, { env: {}, workingDirectory: desk.project });
    expect(value.url).toBe(`unix:${join(desk.project, ".engram-lock/lock.sock")}`);
  });

  test.each(["unix:", "unix://host/path"])("is not %s", (url) => {
    expect(() => findPlace({ url }, { env: {}, workingDirectory: "/work" })).toThrow(/^Invalid url /);
  });
});
