import { createRequire } from "node:module";
import { expect, test } from "vitest";
import { readDocument, tableUnder } from "./documents.js";

interface Rule {
  readonly name: string;
  readonly from: { readonly path?: string; readonly pathNot?: string | readonly string[] };
  readonly to: { readonly path?: string; readonly pathNot?: string | readonly string[] };
}

const load: (path: string) => { readonly forbidden: readonly Rule[] } = createRequire(import.meta.url);
const rules = load("../../.dependency-cruiser.cjs").forbidden;

test("who may import whom is what the rules say", () => {
  const told = tableUnder(readDocument("docs/architecture.md"), "Who may import whom");
  const known = new Map([
    ["core", []],
    ["errors", []],
    ...layers().map((rule): [string, string[]] => [nameOf(rule), importsOf(rule)]),
  ]);
  expect(told.map(([layer]) => layer)).toEqual([...known.keys()]);
  for (const [layer = "", , imports = ""] of told) {
    const listed = imports.startsWith("nothing") ? [] : imports.split(", ");
    expect({ layer, imports: listed.toSorted() }).toEqual({
      layer,
      imports: (known.get(layer) ?? []).toSorted(),
    });
  }
});

test("the files of a layer are those of its rule", () => {
  for (const [layer = "", files = ""] of tableUnder(
    readDocument("docs/architecture.md"),
    "Who may import whom",
  )) {
    const rule = rules.find(({ name }) => name === `layer-${layer}` || name.startsWith(`${layer}-import`));
    const example = files.replaceAll("`", "").replace("*/", "memory/").replace("*.ts", "store.ts");
    expect(example).toMatch(new RegExp(rule?.from.path ?? "no rule"));
  }
});

function layers(): Rule[] {
  return rules.filter(({ name }) => name.startsWith("layer-"));
}

function nameOf(rule: Rule): string {
  return rule.name.replace("layer-", "");
}

/** The layers that a rule excepts, without the layer itself. */
function importsOf(rule: Rule): string[] {
  return [rule.to.pathNot ?? []].flat().flatMap((pattern) => {
    if (pattern === rule.from.path || pattern.includes("$1")) return [];
    if (pattern === "^src/core/") return ["core"];
    if (pattern === "^src/errors\\.ts$") return ["errors"];
    const layer = layers().find(({ from }) => from.path === pattern);
    if (layer === undefined) throw new Error(`Rule "${rule.name}" excepts ${pattern}, which is no layer.`);
    return [nameOf(layer)];
  });
}
