import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { conflict, type Mode, type Scope } from "../../src/core/claim.js";
import { readDocument, repository, tableUnder } from "./documents.js";

const model = readDocument("docs/model.md");

describe("a transition", () => {
  const transitions = tableUnder(model, "Transitions").map((cells) => cells.map(plain));

  test.each(transitions.map(([, , name, file, tells]) => [name, file, tells] as const))(
    "%s is in %s",
    (name = "", file = "") => {
      expect(readFileSync(`${repository}${file}`, "utf8")).toMatch(
        new RegExp(`^(export )?function ${name}\\b`, "m"),
      );
    },
  );

  test("or another tells of every happening", () => {
    const told = new Set(transitions.flatMap(([, , , , tells = ""]) => tells.split(", ")).filter(Boolean));
    expect([...told].toSorted()).toEqual(happenings().toSorted());
  });

  test("is the work of every function of the core that plans a change", () => {
    const named = new Set(transitions.map(([, , name]) => name));
    const planning = [
      "acquire",
      "promote",
      "withdraw",
      "retire",
      "findCycle",
      "release",
      "extend",
      "revoke",
      "expire",
    ];
    expect(planning.filter((name) => !named.has(name))).toEqual([]);
  });
});

test("every happening has a line that says what it is", () => {
  expect(tableUnder(model, "Happenings").map(([name = ""]) => plain(name))).toEqual(happenings());
});

test("the invariants are numbered from 1 to 19", () => {
  const numbers = tableUnder(model, "Invariants").map(([number]) => number);
  expect(numbers).toEqual(Array.from({ length: 19 }, (_, index) => `I${index + 1}`));
});

test("the table of modes says what the code does", () => {
  const modes: readonly Mode[] = ["exclusive", "shared"];
  const known = modes.map((a) => [
    a,
    ...modes.map((b) => (conflicts("/a", a, "resource", "/a", b, "resource") ? "conflict" : "no")),
  ]);
  expect(tableUnder(model, "Modes")).toEqual(known);
});

test("the table of regions says what the code does", () => {
  const head = columnsOf("Regions");
  for (const [row = "", ...cells] of tableUnder(model, "Regions")) {
    for (const [index, cell] of cells.entries()) {
      const column = head[index + 1] ?? "";
      const [[pathA, scopeA], [pathB, scopeB]] = [placeOf(row), placeOf(column)];
      const overlap = conflicts(pathA, "exclusive", scopeA, pathB, "exclusive", scopeB);
      expect(`${row}, ${column}: ${cell}`).toBe(`${row}, ${column}: ${overlap ? "overlap" : "no"}`);
    }
  }
});

test("everything that keeps or tests an invariant is there", () => {
  const missing: string[] = [];
  for (const [number = "", , keeps = "", tests = ""] of tableUnder(model, "Invariants")) {
    const files = [...`${keeps} ${tests}`.matchAll(/`((?:src|test|scripts)\/[^`]+)`/g)].map(
      ([, file = ""]) => file,
    );
    if (files.length === 0) missing.push(number);
    missing.push(...files.filter((file) => !existsSync(`${repository}${file}`)));
    for (const [, name = "", file = ""] of keeps.matchAll(/`(\w+)` in `([^`]+)`/g)) {
      const source = readFileSync(`${repository}${file}`, "utf8");
      if (!new RegExp(`\\b${name}\\b[(<]`).test(source)) missing.push(`${name} in ${file}`);
    }
  }
  expect(missing).toEqual([]);
});

function happenings(): string[] {
  const source = readFileSync(`${repository}src/core/happening.ts`, "utf8");
  const union = /export type HappeningType =([^;]*);/.exec(source)?.[1] ?? "";
  return [...union.matchAll(/"(\w+)"/g)].map(([, name = ""]) => name);
}

function conflicts(
  pathA: string,
  modeA: Mode,
  scopeA: Scope,
  pathB: string,
  modeB: Mode,
  scopeB: Scope,
): boolean {
  const ann = { agentId: "ann", mode: modeA, scope: scopeA };
  const bob = { agentId: "bob", mode: modeB, scope: scopeB };
  return conflict(ann, pathA, bob, pathB);
}

function placeOf(cell: string): readonly [path: string, scope: Scope] {
  const [path = "", scope] = plain(cell).split(" ");
  return [path, scope === "tree" ? "tree" : "resource"];
}

function columnsOf(heading: string): string[] {
  const line =
    model
      .split(`### ${heading}\n`)[1]
      ?.split("\n")
      .find((one) => one.startsWith("|")) ?? "";
  return line
    .slice(1, -1)
    .split("|")
    .map((cell) => cell.trim());
}

function plain(cell: string): string {
  return cell.replaceAll("`", "");
}
