import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { hostname, userInfo } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Desk, isAlive } from "./command.js";

let desk: Desk;
beforeEach(() => {
  desk = new Desk();
});
afterEach(() => desk.clear());

const reportFile = () => join(desk.folder, "report.json");
const report = () => JSON.parse(readFileSync(reportFile(), "utf8"));

/** Runs a shell script under /plan, and answers how it went beside what is in the report. */
async function run(script: string, ...flags: string[]) {
  const result = await desk.run([
    "run",
    "/plan",
    "--report",
    reportFile(),
    ...flags,
    "--",
    "sh",
    "-c",
    script,
  ]);
  return { ...result, report: report() };
}

describe("run", () => {
  test("hands stdin and stdout through, and says nothing of its own", async () => {
    const result = await desk.run(["run", "/plan", "--", "cat"], { input: "a line\n" });
    expect(result).toMatchObject({ code: 0, stdout: "a line\n", stderr: "" });
  });

  test("exits as the command does, and gives the lock back", async () => {
    for (const exitCode of [0, 1, 3, 75, 255]) expect((await run(`exit ${exitCode}`)).code).toBe(exitCode);
    expect(await desk.locked()).toEqual({});
  });

  test("exits with 128 + n when signal n ended the command", async () => {
    const killed = await run("kill -KILL $$");
    expect(killed.code).toBe(137);
    expect(killed.report).toMatchObject({ failed: "child", exit_code: 137, child: { signal: "SIGKILL" } });
    expect((await run("kill -TERM $$")).code).toBe(143);
  });

  test("takes what stands behind the dashes as it is", async () => {
    const args = ["-c", 'printf "%s|" "$@"', "sh", "--json", "--", "-x", "two words"];
    expect((await desk.run(["run", "/plan", "--", "sh", ...args])).stdout).toBe("--json|--|-x|two words|");
  });

  test("--shell runs a text by the shell", async () => {
    const { code, stdout } = await desk.run(["run", "/plan", "--shell", "echo a | tr a b; exit 4"]);
    expect(stdout).toBe("b\n");
    expect(code).toBe(4);
  });

  test("holds the lock meanwhile, with the reason for those who find it held", async () => {
    const running = desk.start([
      "run",
      "/plan",
      "--reason",
      "try it",
      "--",
      "sh",
      "-c",
      "echo ready; exec sleep 600",
    ]);
    await running.says(/ready/);
    expect(await (await desk.manager()).getLock("/plan")).toMatchObject({
      mode: "exclusive",
      reason: "try it",
    });
    running.kill("SIGTERM");
    expect((await running.ended).code).toBe(143);
  });

  test("tells the command lock id, fencing token and path; with several paths one line for each", async () => {
    const show = 'printf "%s\\n" "$ENGRAM_LOCK_ID" "$ENGRAM_LOCK_FENCING_TOKEN" "$ENGRAM_LOCK_PATH"';
    const { stdout } = await desk.run(["run", "/b", "a", "--report", reportFile(), "--", "sh", "-c", show]);
    const [first, second] = report().locks;
    expect(stdout.trimEnd().split("\n")).toEqual([
      first.lock_id,
      second.lock_id,
      String(first.fencing_token),
      String(second.fencing_token),
      "/b",
      "/a",
    ]);
  });

  test("extends the lock beyond its ttl", async () => {
    const running = desk.start(["run", "/plan", "--ttl", "2s", "--", "sh", "-c", "echo ready; read line"], {
      input: { open: true },
    });
    await running.says(/ready/);
    await expect(desk.hold("bob", ["/plan"], { timeout: "2500ms" })).rejects.toMatchObject({ code: "held" });
    running.writeLine("done");
    expect((await running.ended).code).toBe(0);
  });

  test("ends what the command left running, before the lock is given back", async () => {
    const { code, stdout } = await run("sleep 600 & echo $!; exit 5");
    expect(code).toBe(5);
    expect(Number(stdout)).toBeGreaterThan(0);
    expect(isAlive(Number(stdout))).toBe(false);
  });
});

describe("run's agent", () => {
  const agent = async (args: string[], env: Record<string, string> = {}) => {
    await desk.run(["run", "/plan", "--report", reportFile(), ...args, "--", "true"], { env });
    return report().agent_id;
  };

  test("is another one each time, so that two runs exclude each other", async () => {
    const name = `${userInfo().username}@${hostname()}`;
    const first = await agent([]);
    const second = await agent([]);
    expect(first).toMatch(/\/run-[\da-f]{8}$/);
    expect(first.startsWith(name)).toBe(true);
    expect(second).not.toBe(first);
    expect(await agent([], { ENGRAM_LOCK_AGENT: "ci" })).toMatch(/^ci\/run-[\da-f]{8}$/);

    const running = desk.start(["run", "/plan", "--", "sh", "-c", "echo ready; exec sleep 600"]);
    await running.says(/ready/);
    expect((await run("true", "--no-wait")).code).toBe(75);
    running.kill("SIGTERM");
    await running.ended;
  });

  test("is the one of the flag as it stands; a lock that it held before stays", async () => {
    const [lock] = await desk.hold("ann", ["/plan"]);
    expect(await agent(["--agent", "ann"])).toBe("ann");
    expect(report().locks).toMatchObject([{ lock_id: lock!.lockId }]);
    expect(await (await desk.manager()).getLock("/plan")).toMatchObject({ lockId: lock!.lockId });
  });
});

describe("the report", () => {
  test("of a success", async () => {
    expect((await run("exit 0")).report).toEqual({
      failed: null,
      exit_code: 0,
      agent_id: expect.any(String),
      resource_paths: ["/plan"],
      locks: [{ resource_path: "/plan", lock_id: expect.any(String), fencing_token: expect.any(Number) }],
      waited_ms: expect.any(Number),
      held_ms: expect.any(Number),
      child: { pid: expect.any(Number), exit_code: 0, signal: null },
      stopped: false,
      lost: null,
      released: true,
      error: null,
    });
  });

  test("tells a command that failed from a lock that was held, whatever the exit code", async () => {
    expect((await run("exit 75")).report).toMatchObject({
      failed: "child",
      exit_code: 75,
      child: { exit_code: 75 },
    });
    await desk.hold("ann", ["/plan"]);
    const held = await run("echo never", "--no-wait");
    expect(held.code).toBe(75);
    expect(held.stdout).toBe("");
    expect(held.report).toMatchObject({
      failed: "lock",
      exit_code: 75,
      child: null,
      locks: [],
      error: { code: "held", conflicts: [{ agent_id: "ann" }] },
    });
    const renamed = await run("echo never", "--timeout", "100ms", "--conflict-exit-code", "0");
    expect(renamed.code).toBe(0);
    expect(renamed.report).toMatchObject({ failed: "lock", exit_code: 0 });
    expect(renamed.report.waited_ms).toBeGreaterThanOrEqual(100);
  });

  test("of a store that cannot be opened", async () => {
    writeFileSync(join(desk.folder, "a-file"), "");
    const { code, report: written } = await run("true", "--store", `file:${desk.folder}/a-file/locks`);
    expect(code).toBe(69);
    expect(written).toMatchObject({ failed: "store", exit_code: 69, child: null });
  });
});

describe("a command that cannot be started", () => {
  test.each([
    ["is not there", "no-such-command", 127, "no such command"],
    ["is not executable", "./plain-file", 126, "not executable"],
    ["is a folder", "./folder", 126, "not executable"],
  ])("because it %s exits as in a shell, and the lock is given back", async (_, file, exitCode, words) => {
    writeFileSync(join(desk.project, "plain-file"), "", { mode: 0o644 });
    mkdirSync(join(desk.project, "folder"));
    const { code, stderr } = await desk.run(["run", "/plan", "--report", reportFile(), "--", file]);
    expect(stderr).toContain(words);
    expect(code).toBe(exitCode);
    expect(report()).toMatchObject({ failed: "start", exit_code: exitCode, released: true, child: null });
    expect(await desk.locked()).toEqual({});
  });
});
