/** Seeded bugs must not rot: each patch still fits the sources. Whether it is noticed, `npm run seeded-bugs` says. */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { repository } from "../docs/documents.js";

const folder = "test/seeded-bugs";
const patches = readdirSync(join(repository, folder))
  .filter((name) => name.endsWith(".patch"))
  .toSorted();

test("they are numbered", () => {
  expect(patches.length).toBeGreaterThanOrEqual(25);
  for (const [index, name] of patches.entries()) {
    expect(name).toMatch(new RegExp(`^${String(index + 1).padStart(2, "0")}-[a-z-]+\\.patch$`));
  }
});

test.each(patches)("%s says which bug it is, and still fits", (name) => {
  const patch = `${folder}/${name}`;
  expect(readFileSync(join(repository, patch), "utf8")).toMatch(
    /^[A-Z][^]+\.\nSeen: .+\.\nBreaks: .+\n(Judge: .+\n)?\ndiff --git /,
  );
  const { status, stderr } = spawnSync("git", ["apply", "--check", patch], {
    cwd: repository,
    encoding: "utf8",
  });
  expect([status, stderr], "The patch no longer fits: make it anew.").toEqual([0, ""]);
});
