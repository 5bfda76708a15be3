/**
 * Runs every story in this folder over real managers, on a memory store that can be made to fail, with a clock that stands still.
 *
 * `UPDATE_SCENARIOS=1 npx vitest run test/scenarios` writes the answers anew; read the difference before believing it.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { LoopbackServer } from "../support/loopback.js";
import { prepare } from "./commands.js";
import { Play } from "./play.js";
import { type Block, formatStory, parseStory, type Story } from "./story.js";

const folder = new URL(".", import.meta.url);
const update = process.env["UPDATE_SCENARIOS"] === "1";

async function retell(story: Story, play = new Play()): Promise<Story> {
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

/** What differs over the wire, and why. */
const inProcessOnly: Readonly<Record<string, string>> = {
  "bad-input-is-refused-and-changes-nothing":
    "JSON has no NaN, so that the client refuses it in its own words",
};

test.each(files)("%s, over the wire", async (name) => {
  const text = readFileSync(new URL(name, folder), "utf8");
  const story = parseStory(text);
  const isBasic = text.includes('given type = "basic"');
  // A server has an enhanced manager: the basic one never waits and has no metrics.
  if (isBasic || inProcessOnly[name.replace(".scenario", "")] !== undefined) return;
  const overTheWire = new Play((manager, clock) => new LoopbackServer(manager, clock).connect());
  expect(inNoOrder(await retell(story, overTheWire))).toBe(inNoOrder(story));
});

/** Of answers that come at the same time, each over its own way, none is promised to be first. */
function inNoOrder(story: Story): string {
  const blocks = story.blocks.map(({ commands, answer }) => ({ commands, answer: answer.toSorted() }));
  return formatStory({ ...story, blocks });
}

test("a scenario is named by a sentence", () => {
  expect(files.length).toBeGreaterThan(0);
  expect(files.filter((name) => !/^[a-z0-9]+(-[a-z0-9]+){2,}\.scenario$/.test(name))).toEqual([]);
});
