/** Commands that take, keep and give back locks. */
import type { AcquiredLock, Lock } from "../../src/lock-manager.js";
import { asked, type Line, type Verb, value } from "./commands.js";
import type { Pending, Play } from "./play.js";

/** With which work breaks in a story. */
const ownError = new Error("broken");

/** Aborts the latest acquire of an agent for a path. */
const aborts = new WeakMap<Play, Map<string, AbortController>>();
/** Ends the work of an agent on a path. */
const works = new WeakMap<Play, Map<string, (error?: Error) => void>>();

function of<T>(all: WeakMap<Play, Map<string, T>>, play: Play): Map<string, T> {
  const known = all.get(play) ?? new Map<string, T>();
  all.set(play, known);
  return known;
}

/** Names that would break the line are shown in quotes. */
function spelled(name: string): string {
  return /^[\w-]+$/.test(name) ? name : JSON.stringify(name);
}

function acquire({ play, process, words }: Line): Pending {
  const { agentId, paths, options } = asked(words.slice(1));
  const controller = new AbortController();
  of(aborts, play).set(`${agentId} ${paths.join(" ")}`, controller);
  const all = { ...options, signal: controller.signal };
  const locks: Promise<AcquiredLock[]> =
    paths.length === 1
      ? process.manager.acquireLock(paths[0]!, agentId, all).then((lock) => [lock])
      : process.manager.acquireMultipleLocks(paths, agentId, all);
  const work = locks.then(
    (granted) => {
      for (const lock of granted) play.keep(process, lock);
      return granted.length === 0
        ? [`${agentId} holds nothing more`]
        : granted.map((lock) => play.words.holds(lock));
    },
    (error: unknown) => [`${spelled(agentId)} is refused, ${play.words.error(error)}`],
  );
  return play.begin(process, work, () => play.behind(agentId, paths));
}

function cancel({ play, words }: Line): void {
  const name = words.slice(1).join(" ");
  const controller = of(aborts, play).get(name);
  if (controller === undefined) throw new Error(`Nothing to cancel: ${name}`);
  controller.abort(new Error("changed my mind"));
}

function begin({ play, process, words }: Line, work: Promise<string[]>): Pending {
  const agentId = words[1] ?? "";
  const answered = work.catch((error: unknown) => [
    `${spelled(agentId)} is refused, ${play.words.error(error)}`,
  ]);
  return play.begin(process, answered, async () => `${agentId} has no answer yet`);
}

function released(agentId: string, path: string, done: boolean): string[] {
  return [done ? `${agentId} has released ${path}` : `${agentId} had nothing to release`];
}

const release: Verb = (line) => {
  const { play, process, words } = line;
  const [, agentId = "", path = ""] = words;
  const handle = play.handle(process, agentId, path);
  play.drop(process, handle);
  return begin(
    line,
    handle.release().then((done) => released(agentId, path, done)),
  );
};

/** Through the id, as a process does that has no handle. */
const releaseBy =
  (lockIdOf: (line: Line) => string, agentOf: (line: Line) => string): Verb =>
  (line) => {
    const path = line.words[2] ?? "";
    const agentId = agentOf(line);
    const work = line.process.manager.releaseLock(path, agentId, lockIdOf(line));
    return begin(
      line,
      work.then((done) => released(agentId, path, done)),
    );
  };

function extended(play: Play, lock: Lock): string[] {
  return [play.words.holdsFor(lock)];
}

const extend: Verb = (line) => {
  const { play, process, words } = line;
  const [, agentId = "", path = "", , ttl] = words;
  const handle = play.handle(process, agentId, path);
  const work = ttl === undefined ? handle.extend() : handle.extend(value(ttl));
  return begin(
    line,
    work.then((lock) => extended(play, lock)),
  );
};

const extendBy =
  (lockIdOf: (line: Line) => string, agentOf: (line: Line) => string): Verb =>
  (line) => {
    const [, , path = ""] = line.words;
    const ttl = line.words[line.words.indexOf("for") + 1];
    const work = line.process.manager.extendLock(path, agentOf(line), lockIdOf(line), value(ttl));
    return begin(
      line,
      work.then((lock) => extended(line.play, lock)),
    );
  };

const ownId = ({ play, words }: Line): string => play.lockId(words[1] ?? "", words[2] ?? "");
const otherId = (): string => "some-other-id";
const itself = ({ words }: Line): string => words[1] ?? "";
const last = ({ words }: Line): string => words[words.indexOf("as") + 1] ?? "";

/** Work under a lock, which lasts until it is told to end. */
const work: Verb = (line) => {
  const { play, process, words } = line;
  const { agentId, paths, options } = asked(words.slice(1));
  const path = paths[0] ?? "";
  const done = process.manager.withLock(path, agentId, options, async (lock) => {
    play.keep(process, lock);
    play.say(`${play.words.holds(lock)}, and works`);
    await new Promise<void>((resolve, reject) => {
      of(works, play).set(`${agentId} ${path}`, (error) => (error === undefined ? resolve() : reject(error)));
    });
    return "done";
  });
  const told = done.then(
    () => [`${agentId}'s work on ${path} is done`],
    (error: unknown) => [
      error === ownError
        ? `${agentId}'s work on ${path} has failed, with its own error`
        : `${agentId}'s work on ${path} has failed, ${play.words.error(error)}`,
    ],
  );
  // While it works there is nothing to say.
  return play.begin(process, told, () =>
    of(works, play).has(`${agentId} ${path}`) ? Promise.resolve("") : play.behind(agentId, paths),
  );
};

function endWork({ play, words }: Line, error?: Error): void {
  const end = of(works, play).get(`${words[0]} ${words[2]}`);
  if (end === undefined) throw new Error(`${words[0]} does not work on ${words[2]}`);
  play.giveBack(play.lockId(words[0] ?? "", words[2] ?? ""));
  end(error);
}

const forceRelease: Verb = (line) => {
  const { play, process, words } = line;
  const [, , path = ""] = words;
  const after = (word: string): string | undefined =>
    words.includes(word) ? words[words.indexOf(word) + 1] : undefined;
  const by = after("by");
  const reason = after("because") ?? "";
  const done = process.manager.forceRelease(path, { reason, ...(by === undefined ? {} : { by }) }).then(
    (locks) =>
      locks.length === 0
        ? ["there was nothing to release"]
        : locks.map(
            (lock) =>
              `${lock.agentId}'s lock on ${lock.resourcePath}, token ${play.words.token(lock.fencingToken)}, was released by force`,
          ),
    (error: unknown) => [`the operator is refused, ${play.words.error(error)}`],
  );
  return play.begin(process, done, async () => "the operator has no answer yet");
};

const close = ({ play, process }: Line, options?: { release: boolean }): Pending =>
  play.begin(
    process,
    process.manager.close(options).then(() => [`manager ${process.name} is closed`]),
    async () => `manager ${process.name} is closing`,
  );

export const handles: readonly (readonly [string, Verb])[] = [
  ["acquire * ...", acquire],
  ["cancel * ...", cancel],
  ["release * *", release],
  ["release * * by id", releaseBy(ownId, itself)],
  ["release * * with another id", releaseBy(otherId, itself)],
  ["release * * as *", releaseBy(ownId, last)],
  ["extend * *", extend],
  ["extend * * for *", extend],
  ["extend * * by id for *", extendBy(ownId, itself)],
  ["extend * * with another id for *", extendBy(otherId, itself)],
  ["extend * * as * for *", extendBy(ownId, last)],
  ["work * ...", work],
  ["* finishes *", (line) => endWork(line)],
  ["* breaks *", (line) => endWork(line, ownError)],
  ["force release * ...", forceRelease],
  ["closes", (line) => close(line)],
  ["closes and releases", (line) => close(line, { release: true })],
];
