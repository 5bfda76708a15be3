/** A disk whose flushes and writes fail, as libfiu (https://blitiri.com.ar/p/libfiu/) makes them fail under a real process. */
import { spawnSync } from "node:child_process";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, onTestFinished, type TestContext, test } from "vitest";
import { openEmbeddedStore } from "../../src/store/embedded/embedded-store.js";
import { apply, keysIn, put } from "../conformance/changes.js";
import { compileStore, runChild, scratch, startChild } from "./processes.js";

beforeAll(compileStore);

const everyFlush = "posix/io/sync/*";
const inputOutputError = 5;
const noSpace = 28;

describe("When flushes fail", () => {
  test("nobody who had the store open commits any more until it is opened again; reads go on; nothing is lost", {
    timeout: 60_000,
  }, async ({ skip }) => {
    requireFiu(skip);
    const directory = await scratch();
    const [one, other] = [await process(directory), await process(directory)];
    for (const key of ["a", "b", "c"]) expect(await one.ask(`put ${key}`)).toMatchObject({ applied: true });
    one.disk(`enable name=${everyFlush},failinfo=${inputOutputError}`);
    expect(await one.ask("put d")).toMatchObject({
      error: "StoreError",
      outcome: "unknown",
      message: expect.stringMatching(
        /failed: Input\/output error.*refuses further commits until every process/,
      ),
    });
    expect(await one.ask("put e")).toMatchObject({ outcome: "none" });
    // That a later flush would succeed proves nothing about the earlier one.
    one.disk(`disable name=${everyFlush}`);
    expect(await one.ask("put f")).toMatchObject({ outcome: "none" });
    expect(await other.ask("put g")).toMatchObject({
      outcome: "none",
      message: expect.stringMatching(
        /a process failed to flush its writes to disk. Every process has to close/,
      ),
    });
    expect(await one.ask("keys")).toEqual(["a", "b", "c"]);
    expect(await other.ask("keys")).toEqual(["a", "b", "c"]);

    expect(await one.ask("reopen")).toBe("opened");
    expect(await one.ask("put h")).toMatchObject({ applied: true });
    expect(await other.ask("put i")).toMatchObject({ outcome: "none" });
    expect(await other.ask("reopen")).toBe("opened");
    expect(await other.ask("put j")).toMatchObject({ applied: true });
    const keys = await one.ask("keys");
    expect(keys).toEqual(await other.ask("keys"));
    // The one whose outcome was unknown may be there.
    expect((keys as string[]).filter((key) => key !== "d")).toEqual(["a", "b", "c", "h", "j"]);
  });

  test("now and then, everything acknowledged is there in the end, and nothing that was surely refused", {
    timeout: 120_000,
  }, async ({ skip }) => {
    requireFiu(skip);
    const directory = await scratch();
    const writer = await process(directory);
    const acknowledged: string[] = [];
    const refused: string[] = [];
    let failures = 0;
    for (const failing of [everyFlush, "posix/io/rw/pwrite"]) {
      for (let n = 0; n < 120; n += 1) {
        // So often that each of the writes that make up a commit fails for either reason.
        const reason = n % 2 === 0 ? inputOutputError : noSpace;
        if (n % 3 === 0) writer.disk(`enable_random name=${failing},probability=0.3,failinfo=${reason}`);
        const key = `${failing.replaceAll("/", "-")}-${n}`;
        const answer = await writer.ask(`put ${key}`);
        if (typeof answer === "object" && answer !== null && "applied" in answer) acknowledged.push(key);
        else {
          expect(answer).toMatchObject({
            error: "StoreError",
            message: expect.stringMatching(/Cannot commit|failed/),
          });
          failures += 1;
          if (answer !== null && (answer as { outcome: string }).outcome === "none") refused.push(key);
          const seen = await writer.ask("keys");
          expect(seen).toEqual(expect.arrayContaining(acknowledged));
          writer.disk(`disable name=${failing}`);
          expect(await writer.ask("reopen")).toBe("opened");
        }
      }
      writer.disk(`disable name=${failing}`);
    }
    expect(failures).toBeGreaterThan(40);
    expect(acknowledged.length).toBeGreaterThan(60);
    const store = await openEmbeddedStore(directory);
    const keys = await keysIn(store, { prefix: "" });
    await store.close();
    expect(keys).toEqual(expect.arrayContaining(acknowledged));
    expect(keys.filter((key) => refused.includes(key))).toEqual([]);
    expect(keys.length).toBeLessThanOrEqual(acknowledged.length + failures);
  });

  test("a new store is not made, and its folder is as good as before", { timeout: 60_000 }, async ({
    skip,
  }) => {
    requireFiu(skip);
    const directory = await scratch();
    const runner = ["fiu-run", "-x", "-c", `enable name=${everyFlush},failinfo=${inputOutputError}`];
    const [line] = await runChild(directory, "show", { runner });
    expect(JSON.parse(line!)).toMatchObject({
      error: "StoreError",
      outcome: "none",
      message: expect.stringMatching(/Cannot use the embedded store in .*: the operating system says/),
    });
    expect((await readdir(directory)).filter((file) => file.startsWith("creating-"))).toEqual([]);
    const store = await openEmbeddedStore(directory);
    await apply(store, put("a"));
    await store.close();
  });
});

/** A process that obeys, and whose disk can be made to fail. */
async function process(
  directory: string,
): Promise<{ ask(order: string): Promise<unknown>; disk(fault: string): void }> {
  const control = join(await scratch(), "fiu");
  const child = startChild(directory, "obey", { runner: ["fiu-run", "-x", "-f", control] });
  onTestFinished(() => {
    child.process.kill("SIGKILL");
  });
  const pid = await child.nextLine();
  return {
    ask: async (order) => {
      child.tell(order);
      return JSON.parse(await child.nextLine());
    },
    disk: (fault) => {
      expect(spawnSync("fiu-ctrl", ["-f", control, "-c", fault, pid]).status).toBe(0);
    },
  };
}

function requireFiu(skip: TestContext["skip"]): void {
  if (spawnSync("fiu-run", ["true"]).error === undefined) return;
  const why = "fiu-run is not there to make flushes fail; Debian has it in fiu-utils.";
  // CI installs it, see .ci/run.
  if (globalThis.process.env["CI"] !== undefined) throw new Error(why);
  skip(why);
}
