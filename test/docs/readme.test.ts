import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createLockManager } from "../../src/create-lock-manager.js";
import { LockError } from "../../src/errors.js";
import { type Config, readConfig } from "../../src/manager/config.js";
import { type CodeBlock, codeBlocks, expected, readDocument, tableUnder } from "./documents.js";
import { programsIn, promisedBy, Reader } from "./reader.js";

const readme = readDocument("README.md");
const blocks = codeBlocks(readme);

let reader: Reader;
beforeAll(async () => {
  reader = await Reader.create();
});
afterAll(() => reader.clear());

describe("the code blocks", () => {
  const commands = blocks.filter(({ language }) => language === "sh");

  test("are commands, what they print, and programs; every program says what it prints", () => {
    expect(new Set(blocks.map(({ language }) => language))).toEqual(new Set(["sh", "text", "ts"]));
    expect(commands.filter(({ info }) => info !== "")).toEqual([]);
    for (const program of programsIn(blocks)) expect(promisedBy(program)).not.toEqual([]);
  });

  test("of the command line print what is shown below them", { timeout: 60_000 }, async () => {
    for (const { block, lines } of await reader.type(commands)) {
      const shown = outputOf(block);
      if (shown === undefined) continue;
      expect(lines.join("\n"), `the block in line ${block.line}`).toMatch(expected(shown.code));
    }
  });

  test("in TypeScript, also those of the guarantees, compile, run and print what they say", {
    timeout: 60_000,
  }, async () => {
    const programs = [...programsIn(blocks), ...programsIn(codeBlocks(readDocument("docs/guarantees.md")))];
    const compiled = await reader.compile(programs);
    for (const [index, program] of programs.entries()) {
      const lines = await reader.runProgram(compiled[index]!);
      expect(lines.join("\n")).toMatch(expected(promisedBy(program).join("\n")));
    }
  });

  /** The `text` block that follows at once. */
  function outputOf(block: CodeBlock): CodeBlock | undefined {
    const next = blocks[blocks.indexOf(block) + 1];
    const end = block.line + block.code.split("\n").length + 1;
    return next?.language === "text" && next.line <= end + 2 ? next : undefined;
  }
});

describe("the tables", () => {
  test("name every field of the configuration, with its default", () => {
    const rows = tableUnder(readme, "Configuration").map((cells) => cells.slice(0, 2).map(plain));
    const defaults = new Map(rows.map(([field, value]) => [field!, value!]));
    const known = configFields();
    expect([...defaults.keys()].toSorted()).toEqual([...known, "registry"].toSorted());

    const given = Object.fromEntries(
      [...defaults]
        .filter(([field]) => field !== "registry")
        .map(([field, value]) => [field, JSON.parse(value)]),
    );
    expect(comparable(readConfig(given))).toEqual(comparable(readConfig({})));
  });

  test("name every metric, with its labels", async () => {
    const locks = await createLockManager({}, "memory:");
    const text = await metricsAfterUse(locks);
    await locks.close();
    const found = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name = ""]) => [name, labelsOf(text, name)]);
    const told = tableUnder(readme, "Metrics").map(([name = "", labels = ""]) => [
      plain(name),
      labels === "" ? [] : labels.split(", ").map(plain),
    ]);
    expect(told.toSorted(byName)).toEqual(found.toSorted(byName));
  });

  test("name every command", async () => {
    const [help] = await reader.type([
      { language: "sh", info: "", code: "engram-lock --help", line: 0, heading: "" },
    ]);
    const lines = help?.lines ?? [];
    const verbs = lines
      .slice(lines.indexOf("Commands:") + 1)
      .flatMap((line) => /^ {2}(\w+)/.exec(line)?.[1] ?? [])
      .filter((verb) => verb !== "help");
    const told = tableUnder(readme, "Command line").map(([usage = ""]) => plain(usage).split(" ")[0]);
    expect(told).toEqual(verbs);
  });

  test("name every address of the server", async () => {
    // The server of the blocks above still runs.
    const { paths } = (await (await fetch(`${reader.url}/openapi.json`)).json()) as {
      paths: Record<string, object>;
    };
    const served = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const told = tableUnder(readme, "HTTP").map(([address = ""]) => plain(address));
    expect(told.toSorted()).toEqual(served.toSorted());
    expect((await fetch(`${reader.url}/docs`)).status).toBe(200);
  });
});

function plain(cell: string): string {
  return cell.replaceAll("`", "");
}

/** The refusal of an unknown field names the known ones. */
function configFields(): string[] {
  try {
    readConfig({ nonsense: true } as object);
  } catch (error) {
    if (error instanceof LockError)
      return (error.facts.allowed ?? "").replace("only the fields ", "").split(", ");
  }
  throw new Error("An unknown field was not refused.");
}

function comparable({ policies, ...rest }: Config): object {
  return { ...rest, policies: [...policies] };
}

async function metricsAfterUse(locks: Awaited<ReturnType<typeof createLockManager>>): Promise<string> {
  const lock = await locks.acquireLock("/type/a", "ann");
  await lock.release();
  return locks.metrics();
}

function labelsOf(text: string, name: string): string[] {
  const line = text.split("\n").find((one) => new RegExp(`^${name}(_bucket|_sum|_count)?[{ ]`).test(one));
  const labels = [...(/\{(.*)\}/.exec(line ?? "")?.[1]?.matchAll(/(\w+)="/g) ?? [])].map(
    ([, label = ""]) => label,
  );
  return labels.filter((label) => label !== "le");
}

function byName([a]: readonly unknown[], [b]: readonly unknown[]): number {
  return String(a) < String(b) ? -1 : 1;
}
