import { spawn, spawnSync } from "node:child_process";
import { hostname, userInfo } from "node:os";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Desk } from "./command.js";

/** Runs a command in a pseudo-terminal; of util-linux. */
const terminalTool = "script";
const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

describe.skipIf(spawnSync(terminalTool, ["--version"]).status !== 0)(
  "in a terminal (needs util-linux script)",
  () => {
    let desk: Desk;
    beforeEach(() => {
      desk = new Desk();
    });
    afterEach(() => desk.clear());

    /**
     * Runs a shell script, in which `$E` is the command, in a terminal of its own. Each answer is typed once what it answers
     * to was shown. Resolves with all that was shown.
     */
    function inTerminal(
      text: string,
      answers: readonly (readonly [to: string, typed: string])[] = [],
      env: Readonly<Record<string, string>> = {},
    ): Promise<string> {
      const terminal = spawn(terminalTool, ["-qec", text, "/dev/null"], {
        cwd: desk.project,
        env: {
          PATH: process.env["PATH"],
          HOME: desk.home,
          TERM: "xterm",
          E: `${process.execPath} ${main}`,
          ...env,
        },
      });
      const open = [...answers];
      let shown = "";
      terminal.stdout.setEncoding("utf8").on("data", (part: string) => {
        shown += part;
        const [next] = open;
        if (next === undefined || !shown.includes(next[0])) return;
        terminal.stdin.write(next[1]);
        open.shift();
      });
      return new Promise((resolve, reject) => {
        terminal.once("error", reject);
        terminal.once("close", () => {
          terminal.stdin.destroy();
          resolve(shown);
        });
      });
    }

    test("release gives back what acquire took, and the next terminal is somebody else", async () => {
      const first = await inTerminal(
        "$E acquire /plan --json | cat; $E release /plan; $E acquire /plan --ttl 10m",
      );
      expect(first).toContain(`"agent_id": "${userInfo().username}@${hostname()}/pts-`);
      expect(first).toMatch(/\/plan\S* released/);
      // Of two terminals that are open at one time at most one has the name of the first.
      const nested = `${terminalTool} -qec '$E release /plan; echo inner $?' /dev/null; $E release /plan; echo outer $?`;
      const both = await inTerminal(nested);
      expect([...both.matchAll(/(?:inner|outer) (\d+)/g)].map((match) => match[1])).toContain("77");
    });

    test("there are colours, unless NO_COLOR or --no-color says otherwise", async () => {
      expect(await inTerminal("$E show /plan")).toContain("\u001b[");
      expect(await inTerminal("$E show /plan --no-color")).not.toContain("\u001b[");
      expect(await inTerminal("$E --no-color show /plan")).not.toContain("\u001b[");
      expect(await inTerminal("$E show /plan", [], { NO_COLOR: "1" })).not.toContain("\u001b[");
    });

    test("release --force asks first, with the holder's facts", async () => {
      await desk.hold("ann", ["/plan"], { reason: "at work" });
      const force = "$E release /plan --force --reason 'it hangs'; echo exit $?";
      const no = await inTerminal(force, [["[y/N]", "n\r"]]);
      expect(no).toMatch(/held by {3}ann .*for "at work"/);
      expect(no).toContain("exit 130");
      expect(await desk.locked()).toEqual({ "/plan": "ann" });
      const yes = await inTerminal(force, [["[y/N]", "y\r"]]);
      expect(yes).toMatch(/taken from ann[^]*exit 0/);
      expect(await desk.locked()).toEqual({});
    });

    test("what run runs reads from the terminal, and Ctrl-C reaches it", async () => {
      const read = "$E run /plan -- sh -c 'echo ready; read line; echo got $line'";
      expect(await inTerminal(read, [["ready", "hello\r"]])).toContain("got hello");
      // A shell looks for its traps between commands: one that came just before a long sleep would wait for its end.
      const trap =
        "trap : INT; $E run /plan -- sh -c 'trap \"echo told; exit 5\" INT; echo ready; while :; do sleep 0.1; done'; echo exit $?";
      expect(await inTerminal(trap, [["ready", "\u0003"]])).toMatch(/told[^]*exit 5/);
    });

    test("ls --watch draws its table again in the same place, until Ctrl-C", async () => {
      await desk.hold("ann", ["/plan"], { reason: "at work" });
      const shown = await inTerminal("trap : INT; $E ls --watch; echo exit $?", [["\u001b[3F", "\u0003"]]);
      const [first = "", again = ""] = shown.split("\u001b[3F");
      expect(first).toMatch(/1 lock {3}Ctrl-C ends[^]*\/plan/);
      expect(again).toMatch(/1 lock[^]*\/plan[^]*exit 130/);
    });

    test("ls --watch shows as many locks as there is room for", async () => {
      await desk.hold(
        "ann",
        Array.from({ length: 30 }, (_, n) => `/many/${n}`),
      );
      const watch = "stty rows 10; trap : INT; $E ls --watch --no-color; echo exit $?";
      const shown = await inTerminal(watch, [["more", "\u0003"]]);
      expect(shown).toMatch(/30 locks[^]*\/many\/0 [^]*… and 24 more\r\n/);
      expect(shown).not.toContain("/many/29");
    });

    test("Ctrl-C while waiting leaves the queue", async () => {
      await desk.hold("ann", ["/plan"]);
      const shown = await inTerminal("trap : INT; $E run /plan -- echo never; echo exit $?", [
        ["Ctrl-C leaves", "\u0003"],
      ]);
      expect(shown).toContain("exit 130");
      expect((await (await desk.manager()).getResource("/plan")).queueLength).toBe(0);
    });
  },
);
