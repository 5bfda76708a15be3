import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Desk, isAlive } from "./command.js";

let desk: Desk;
beforeEach(() => {
  desk = new Desk();
});
afterEach(() => desk.clear());

const report = () => JSON.parse(readFileSync(join(desk.folder, "report.json"), "utf8"));

/** Starts a shell script under /plan, and waits until it says that it is ready. */
async function start(script: string, ...flags: string[]) {
  const args = [
    "run",
    "/plan",
    "--report",
    join(desk.folder, "report.json"),
    ...flags,
    "--",
    "sh",
    "-c",
    script,
  ];
  const running = desk.start(args);
  await running.says(/ready/);
  return running;
}

/** A shell that says its own id and that of a child, and stays. */
const family = "sleep 600 & echo pids $$ $!; echo ready; wait";

async function pidsOf(running: Awaited<ReturnType<typeof start>>): Promise<number[]> {
  const [, own, child] = await running.says(/pids (\d+) (\d+)/);
  return [Number(own), Number(child)];
}

describe("a signal", () => {
  test.each([
    ["SIGINT", "INT"],
    ["SIGTERM", "TERM"],
    ["SIGHUP", "HUP"],
    ["SIGQUIT", "QUIT"],
    ["SIGUSR1", "USR1"],
    ["SIGUSR2", "USR2"],
    ["SIGWINCH", "WINCH"],
  ] as const)("%s is passed on to the command, whose exit code stands", async (signal, name) => {
    const running = await start(
      `trap 'echo got ${name}; exit 9' ${name}; echo ready; while :; do sleep 0.05; done`,
    );
    running.kill(signal);
    const { code, stdout, stderr } = await running.ended;
    expect(stdout).toContain(`got ${name}`);
    expect(stderr).not.toContain("engram-lock");
    expect(code).toBe(9);
  });

  test("that the command does not survive exits with 128 + n, and nothing of its group is left", async () => {
    const running = await start(family);
    const pids = await pidsOf(running);
    running.kill("SIGTERM");
    expect((await running.ended).code).toBe(143);
    expect(pids.filter(isAlive)).toEqual([]);
    expect(report()).toMatchObject({ failed: "child", released: true, child: { signal: "SIGTERM" } });
    expect(await desk.locked()).toEqual({});
  });

  test("that the command ignores does not end it", async () => {
    const running = await start("trap '' TERM; echo ready; sleep 0.3; echo done");
    running.kill("SIGTERM");
    expect(await running.ended).toMatchObject({ code: 0, stdout: "ready\ndone\n" });
  });
});

describe.runIf(process.platform === "linux")("Ctrl-Z (told from /proc)", () => {
  const stateOf = (pid: number) => {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat[stat.lastIndexOf(")") + 2];
  };
  const reaches = async (pid: number, state: string) => {
    await expect.poll(() => stateOf(pid), { interval: 10, timeout: 5_000 }).toBe(state);
  };

  test("stops the command too, and it goes on with its lock afterwards", async () => {
    const running = await start(family, "--ttl", "60s");
    const [shell] = await pidsOf(running);
    running.kill("SIGTSTP");
    await reaches(running.pid, "T");
    expect(stateOf(shell!)).toBe("T");
    running.kill("SIGCONT");
    await reaches(shell!, "S");
    running.kill("SIGTERM");
    expect((await running.ended).code).toBe(143);
  });

  test("and when the lock expired meanwhile, the command is ended instead", async () => {
    const running = await start(family, "--ttl", "2s");
    const pids = await pidsOf(running);
    running.kill("SIGTSTP");
    await reaches(running.pid, "T");
    await desk.hold("bob", ["/plan"], { timeout: "5s" });
    running.kill("SIGCONT");
    expect((await running.ended).code).toBe(76);
    expect(pids.filter(isAlive)).toEqual([]);
  });
});

describe("a lock that is taken away", () => {
  test("ends the command and all its group, and exits with 76", async () => {
    const running = await start(family);
    const pids = await pidsOf(running);
    await desk.force("/plan");
    const { code, stderr } = await running.ended;
    expect(stderr).toMatch(/^engram-lock: lock lost: ending the command/);
    expect(code).toBe(76);
    expect(pids.filter(isAlive)).toEqual([]);
    expect(report()).toMatchObject({
      failed: "lock",
      exit_code: 76,
      stopped: true,
      lost: { code: "lost" },
      released: false,
      child: { signal: "SIGTERM" },
    });
  });

  test("ends a command that ignores SIGTERM after --kill-after", async () => {
    const running = await start(
      "trap '' TERM; sleep 600 & echo pids $$ $!; echo ready; wait; sleep 600",
      "--kill-after",
      "300ms",
    );
    const pids = await pidsOf(running);
    await desk.force("/plan");
    expect((await running.ended).code).toBe(76);
    expect(pids.filter(isAlive)).toEqual([]);
    expect(report().child.signal).toBe("SIGKILL");
  });

  test("lets a command end in order, whose own exit code is in the report", async () => {
    const running = await start("trap 'echo tidy; exit 3' TERM; echo ready; while :; do sleep 0.05; done");
    await desk.force("/plan");
    expect(await running.ended).toMatchObject({ code: 76, stdout: "ready\ntidy\n" });
    expect(report()).toMatchObject({ exit_code: 76, child: { exit_code: 3, signal: null } });
  });

  test("with --on-lost kill ends it at once", async () => {
    const running = await start(
      "trap 'echo tidy; exit 3' TERM; echo ready; while :; do sleep 0.05; done",
      "--on-lost",
      "kill",
    );
    await desk.force("/plan");
    expect(await running.ended).toMatchObject({ code: 76, stdout: "ready\n" });
    expect(report().child.signal).toBe("SIGKILL");
  });

  test("with --on-lost warn lets it go on, and exits as it does", async () => {
    const running = desk.start(
      [
        "run",
        "/plan",
        "--on-lost",
        "warn",
        "--report",
        join(desk.folder, "report.json"),
        "--",
        "sh",
        "-c",
        "echo ready; read line; exit 6",
      ],
      { input: { open: true } },
    );
    await running.says(/ready/);
    await desk.force("/plan");
    await running.says(/lock lost: the command goes on/, "stderr");
    running.writeLine("go");
    expect((await running.ended).code).toBe(6);
    expect(report()).toMatchObject({
      failed: "child",
      stopped: false,
      lost: { code: "lost" },
      child: { exit_code: 6 },
    });
  });
});
