/**
 * Runs every story in this folder over real managers, on a memory store that can be made to fail, with a clock that stands still.
 *
 * `UPDATE_SCENARIOS=1 npx vitest run test/scenarios` writes the answers anew; read the difference before believing it.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { prepare } from "./commands.js";
import { Play } from "./play.js";
import { type Block, formatStory, parseStory, type Story } from "./story.js";

const folder = new URL(".", import.meta.url);
const update = process.env["UPDATE_SCENARIOS"] === "1";

async function retell(story: Story): Promise<Story> {
  const play = new Play();
  const blocks: Block[] = [];
  for (const { commands } of story.blocks) {
    const ready: Awaited<ReturnType<typeof prepare>>[] = [];
    for (const command of commands) ready.push(await prepare(play, command));
    const begun = await Promise.all(ready.map((carryOut) => carryOut()));
    const answer = await play.hear(begun);
    blocks.push({ commands, answer });
  }
  await play.end();
  return { ...story, blocks };
}

const files = readdirSync(folder).filter((name) => name.endsWith(".scenario"));

test.each(files)("%s", async (name) => {
  const file = new URL(name, folder);
  const text = readFileSync(file, "utf8");
  const told = formatStory(await retell(parseStory(text)));
  if (update) writeFileSync(file, told);
  expect(told).toBe(update ? told : text);
});

test("a scenario is named by a sentence", () => {
  expect(files.length).toBeGreaterThan(0);
  expect(files.filter((name) => !/^[a-z0-9]+(-[a-z0-9]+){2,}\.scenario$/.test(name))).toEqual([]);
});
