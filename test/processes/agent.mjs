// @ts-nocheck -- runs the built library, which need not be there yet when types are checked
// A process of its own that uses the built library on a store. Arguments: the store's URL, what to do, and more.
// It prints one line for each thing that happened, and does the next when a line comes in where that is said.

import { appendFileSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { createLockManager } from "../../dist/index.js";

/** @typedef {import("../../dist/index.js").LockManager} LockManager */

const [url = "", work = "", ...rest] = process.argv.slice(2);
const agent = `agent-${process.pid}`;
const input = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Written at once, so that a process that is killed has said what it knows. @type {(...words: unknown[]) => void} */
const say = (...words) => {
  process.stdout.write(`${words.join(" ")}\n`);
};

/** @type {Record<string, (locks: LockManager) => Promise<void>>} */
const works = {
  /** Takes one path so many times, and writes each beginning and end to a file together with its token. */
  async race(locks) {
    const [path = "", file = "", rounds = ""] = rest;
    for (let round = 0; round < Number(rounds); round++) {
      const lock = await locks.acquireLock(path, agent, { timeout: "1m", ttl: "1m" });
      appendFileSync(file, `begin ${agent} ${lock.fencingToken}\n`);
      if (round % 4 === 0) await new Promise((resolve) => setImmediate(resolve));
      appendFileSync(file, `end ${agent} ${lock.fencingToken}\n`);
      await lock.release();
    }
  },

  /**
   * Takes by turns several paths at once, the tree above them, and a path below one of them; writes each beginning and end to a file, as JSON.
   */
  async mix(locks) {
    const [root = "", file = "", rounds = ""] = rest;
    const wishes = [
      { scope: "resource", paths: ["a", "b", "c"].map((name) => `${root}/${name}`) },
      { scope: "tree", paths: [root] },
      { scope: "resource", paths: [`${root}/b/x`] },
    ];
    for (let round = 0; round < Number(rounds); round++) {
      const { scope, paths } = wishes[(round + process.pid) % wishes.length];
      const taken = await locks.acquireMultipleLocks(paths, agent, { scope, timeout: "1m", ttl: "1m" });
      const tokens = taken.map((lock) => lock.fencingToken);
      appendFileSync(file, `${JSON.stringify({ what: "begin", agent, scope, paths, tokens })}\n`);
      if (round % 4 === 0) await new Promise((resolve) => setImmediate(resolve));
      appendFileSync(file, `${JSON.stringify({ what: "end", agent, scope, paths, tokens })}\n`);
      await Promise.all(taken.map((lock) => lock.release()));
    }
  },

  /**
   * Takes, extends and gives back locks from each line "go ROUND" to the next line "pause". Prints every step before it asks for it, and once it was
   * acknowledged; one write each, so that no line is torn by a kill. Gives back what it kept when its input ends.
   */
  async load(locks) {
    const [workers = ""] = rest;
    const hands = Array.from({ length: Number(workers) }, (_, number) => new Hand(locks, number));
    let working = Promise.resolve();
    let round = "";
    for await (const line of input) {
      const [word, name = ""] = line.split(" ");
      if (word === "go") {
        round = name;
        const goOn = () => round === name;
        working = Promise.all(hands.map((hand) => hand.work(name, goOn))).then(() => undefined);
      } else {
        round = "";
        await working;
        say("paused");
      }
    }
    await Promise.all(hands.map((hand) => hand.giveBack(0)));
  },

  /** Takes the path again and again, each time when a line comes in; prints when it had it. */
  async wait(locks) {
    const [path = ""] = rest;
    for await (const _ of input) {
      const call = locks.acquireLock(path, agent, { timeout: "1m" });
      say("asked");
      const lock = await call;
      say("held", Date.now(), lock.fencingToken);
      await lock.release();
      say("released");
    }
  },

  /** Waits in the queue of the path until it is killed. */
  async queue(locks) {
    const [path = ""] = rest;
    const call = locks.acquireLock(path, agent, { timeout: Infinity });
    say("asked");
    const lock = await call;
    say("held", lock.fencingToken);
    await lock.release();
  },

  /** Takes the path, extending it by itself, and for each line that comes in says what its holder sees first. */
  async hold(locks) {
    const [path = "", ttl = ""] = rest;
    for await (const _ of input) {
      const lock = await locks.acquireLock(path, agent, { ttl, timeout: "1m", autoExtend: true });
      const { signal } = lock;
      say("held", lock.fencingToken);
      await input.next();
      // In the very turn in which the process hears of anything again.
      say("sees", lock.signal.aborted && signal.aborted ? "lost" : "held");
      // A careless holder, that does not look before it uses what the lock protects.
      say("writes", lock.fencingToken);
      say(
        "extend",
        await lock.extend().then(
          () => "extended",
          (error) => error.code,
        ),
      );
      say("release", await lock.release());
      say("by id", await locks.releaseLock(path, agent, lock.lockId));
    }
  },
};

/** One of several that work in a process side by side, each as an agent of its own. */
class Hand {
  /** @type {import("../../dist/index.js").AcquiredLock[]} */
  kept = [];
  step = 0;

  /** @param {LockManager} locks @param {number} number */
  constructor(locks, number) {
    this.locks = locks;
    this.agent = `${agent}-${number}`;
    this.number = number;
  }

  /** @param {string} round @param {() => boolean} goOn */
  async work(round, goOn) {
    while (goOn()) {
      const step = this.step++;
      const home = `/load/${process.pid}/${this.number}/${step}`;
      if (step % 8 === 0) this.kept.push(...(await this.take([`${home}/a`, `${home}/b`, `${home}/c`], "1m")));
      else if (step % 8 === 4) await this.contend(`/hot/${round}/${step % 3}`);
      else this.kept.push(...(await this.take([home], "1m")));
      if (step % 3 === 0) await this.extend(this.kept.at(-1));
      await this.giveBack(3);
    }
  }

  /** @param {string[]} paths @param {string} timeout */
  async take(paths, timeout) {
    say("asks", this.agent, ...paths);
    const taken = await this.locks.acquireMultipleLocks(paths, this.agent, { ttl: "10m", timeout });
    say(
      taken
        .map((lock) => this.words("held", lock, lock.lockId, lock.fencingToken, +lock.expiresAt))
        .join("\n"),
    );
    return taken;
  }

  /** Takes what others want as well, and goes on without it when its turn does not come soon: the holder may be dead. @param {string} path */
  async contend(path) {
    try {
      const [lock] = await this.take([path], "200ms");
      await this.release(lock);
    } catch (error) {
      if (error.code !== "held") throw error;
      say("refused", this.agent, path);
    }
  }

  /** @param {import("../../dist/index.js").AcquiredLock | undefined} lock */
  async extend(lock) {
    if (lock === undefined) return;
    say(this.words("extends", lock));
    const { expiresAt } = await lock.extend("20m");
    say(this.words("extended", lock, +expiresAt));
  }

  /** @param {number} most */
  async giveBack(most) {
    while (this.kept.length > most) await this.release(this.kept.shift());
  }

  /** @param {import("../../dist/index.js").AcquiredLock} lock */
  async release(lock) {
    say(this.words("releases", lock));
    say(this.words((await lock.release()) ? "released" : "missed", lock));
  }

  /** @param {string} what @param {import("../../dist/index.js").AcquiredLock} lock @param {unknown[]} more */
  words(what, { resourcePath }, ...more) {
    return [what, this.agent, resourcePath, ...more].join(" ");
  }
}

const locks = await createLockManager({ maxLocksPerAgent: 1_000_000 }, url);
say("ready");
await works[work]?.(locks);
await locks.close();
process.stdin.destroy();
