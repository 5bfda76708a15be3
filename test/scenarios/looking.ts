/** Commands that look, and change nothing. */
import type { Line, Verb } from "./commands.js";

/** Says what a look finds; a look that the store cannot answer is refused like everything else. */
const look =
  (find: (line: Line) => Promise<string[]>): Verb =>
  (line) => {
    const { play, process } = line;
    const told = find(line).catch((error: unknown) => [`the look is refused, ${play.words.error(error)}`]);
    return play.begin(process, told, async () => "there is no answer yet");
  };

const show = look(async ({ play, process, words }) => {
  const state = await process.manager.getResource(words[1] ?? "");
  const { holders, waiters, coveredBy } = state;
  const lines = [
    ...holders.map((lock) => play.words.holdsFor(lock)),
    ...coveredBy.map((lock) => `${play.words.holdsFor(lock)}, from above`),
    ...waiters.map((waiter) => play.words.waits(waiter)),
  ];
  if (lines.length === 0) return [`${state.resourcePath} is free`];
  return state.queueLength === waiters.length ? lines : [...lines, `${state.queueLength} wait`];
});

const locks = look(async ({ play, process, words }) => {
  const prefix = words[2];
  const page = await process.manager.listLocks(prefix === undefined ? {} : { prefix });
  return page.locks.length === 0
    ? ["there are no locks"]
    : page.locks.map((lock) => play.words.holdsFor(lock));
});

const locksOf = look(async ({ play, process, words }) => {
  const state = await process.manager.getAgent(words[2] ?? "");
  const lines = [
    ...state.locks.map((lock) => play.words.holdsFor(lock)),
    ...state.waiting.map((waiter) => play.words.waits(waiter)),
  ];
  return lines.length === 0 ? [`${state.agentId} holds nothing and waits for nothing`] : lines;
});

const get = look(async ({ play, process, words }) => {
  const lock = await process.manager.getLock(words[1] ?? "");
  return [lock === undefined ? "there is no lock" : play.words.holdsFor(lock)];
});

const count = look(async ({ process }) => {
  const { locks: held, waiters, agents } = await process.manager.getStats();
  const counted = await process.manager.getLockCount();
  return [`${held} locks (counted: ${counted}), ${waiters} waiters, ${agents} agents`];
});

const check = look(async ({ play, process, words }) => {
  const [, agentId = "", ...paths] = words;
  const { mine, theirs, free } = await process.manager.checkLocks(paths, agentId);
  return [
    ...mine.map((lock) => `mine: ${play.words.holdsFor(lock)}`),
    ...theirs.map(
      ({ resourcePath, conflicts }) =>
        `theirs: ${resourcePath}, for ${conflicts.map((one) => play.words.conflict(one)).join("; ")}`,
    ),
    ...free.map((path) => `free: ${path}`),
  ];
});

/** Keys and nothing else: what is left behind. */
async function entries({ play }: Line): Promise<void> {
  const keys = (await play.entries()).keys().filter((key) => !key.startsWith("manager/"));
  play.say(keys.length === 0 ? "the store is empty" : keys.join("\n"));
}

/** What the managers told since the last time it was asked for. */
async function events({ play }: Line): Promise<void> {
  await play.clock.settle();
  for (const event of play.events.splice(0)) play.say(play.words.event(event));
}

/** Awaited at once: the text is made by a library that is loaded when it is first asked for. */
async function metrics({ play, process, words }: Line): Promise<void> {
  const wanted = words.slice(1);
  const text = await process.manager
    .metrics()
    .catch((error: unknown) => `the look is refused, ${play.words.error(error)}`);
  const lines = text.split("\n").filter((line) => !line.startsWith("#"));
  for (const line of lines) {
    if (!line.startsWith("engram_") || wanted.some((name) => line.startsWith(`engram_${name}`)))
      play.say(line);
  }
}

/** How many requests the manager's store has got since the last time. */
function requests({ play, process }: Line): void {
  const { commits, reads } = process.store.calls;
  process.store.calls = { commits: 0, reads: 0 };
  play.say(`${commits} commits, ${reads} reads`);
}

export const looking: readonly (readonly [string, Verb])[] = [
  ["show *", show],
  ["get *", get],
  ["locks", locks],
  ["locks below *", locks],
  ["locks of *", locksOf],
  ["count", count],
  ["check * ...", check],
  ["entries", entries],
  ["events", events],
  ["metrics ...", metrics],
  ["requests", requests],
];
