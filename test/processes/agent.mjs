// @ts-nocheck -- runs the built library, which need not be there yet when types are checked
// A process of its own that uses the built library on an embedded store. Arguments: the store's URL, what to do, and more.
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

  /** Takes, extends and gives back locks for ever, and prints what was acknowledged. */
  async load(locks) {
    const [round = ""] = rest;
    const worker = async (/** @type {number} */ number) => {
      for (let n = 0; ; n++) {
        const path = `/load/${round}/${number}/${n}`;
        const lock = await locks.acquireLock(path, agent, { ttl: "10m" });
        say("held", path, lock.lockId, lock.fencingToken);
        if (n % 3 === 0) {
          const { expiresAt } = await lock.extend("20m");
          say("extended", path, lock.lockId, expiresAt.getTime());
        }
        if (n % 2 === 0) {
          say("releasing", path, lock.lockId);
          await lock.release();
          say("released", path, lock.lockId);
        }
      }
    };
    await Promise.all(Array.from({ length: 16 }, (_, number) => worker(number)));
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

const locks = await createLockManager({ maxLocksPerAgent: 1_000_000 }, url);
say("ready");
await works[work]?.(locks);
await locks.close();
process.stdin.destroy();
