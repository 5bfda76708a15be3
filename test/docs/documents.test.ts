import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { anchorsOf, codeSpans, documents, linksOf, prose, readDocument, repository } from "./documents.js";

describe.each(documents)("%s", (name) => {
  const text = readDocument(name);

  test("links to what is there", () => {
    const links = linksOf(text).filter((link) => !link.startsWith("https://"));
    expect(links.filter((link) => !isThere(name, link))).toEqual([]);
  });

  test("names files that are there", () => {
    const files = codeSpans(text).filter((span) => /^(src|test|docs|scripts|bench)\/[\w./-]+$/.test(span));
    expect(files.filter((file) => !existsSync(join(repository, file)))).toEqual([]);
  });

  test("begins with one title, and names no folder of somebody's machine", () => {
    expect(prose(text).match(/^# .+$/gm)).toHaveLength(1);
    expect(text).not.toMatch(/(^|[\s"'`(])\/(home|root|Users|tmp|mnt)\//m);
  });
});

function isThere(from: string, link: string): boolean {
  const [path = "", anchor] = link.split("#", 2);
  const target = path === "" ? from : join(dirname(from), path);
  return (
    existsSync(join(repository, target)) &&
    (anchor === undefined || anchorsOf(readDocument(target)).has(anchor))
  );
}

test("every decision is numbered, and says context, decision, consequences and what was rejected", () => {
  const decisions = documents.filter((name) => name.startsWith("docs/decisions/"));
  const numbers = decisions.map((name) => /\/(\d{4})-[a-z0-9-]+\.md$/.exec(name)?.[1]);
  expect(numbers).toEqual(decisions.map((_, index) => String(index + 1).padStart(4, "0")));
  for (const [index, name] of decisions.entries()) {
    const text = readDocument(name);
    expect(text).toMatch(new RegExp(`^# ${numbers[index]}: `));
    const parts = ["Context", "Decision", "Consequences", "Rejected"];
    expect([name, ...parts.filter((part) => !text.includes(`**${part}.`))]).toEqual([name]);
  }
});
