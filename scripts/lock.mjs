// One installation or build at a time: `npm start` and `npm test`, started together, must not undo each other's work.

import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";

const cache = fileURLToPath(new URL("../.cache/", import.meta.url));
const lock = `${cache}bootstrap.lock`;
const owner = `${lock}/pid`;
const WAIT_LIMIT_MS = 10 * 60_000;
/** How long a lock may exist without naming its owner: between its two file operations. */
const NAMELESS_MS = 5_000;

/**
 * Runs the work while no other process of this repository is inside `alone`.
 *
 * @param {() => void} work synchronous, and quick when there is nothing to do
 */
export function alone(work) {
  take();
  // Not `finally`: the work may end the process.
  const giveBack = () => rmSync(lock, { recursive: true, force: true });
  process.once("exit", giveBack);
  work();
  process.off("exit", giveBack);
  giveBack();
}

function take() {
  mkdirSync(cache, { recursive: true });
  const deadline = Date.now() + WAIT_LIMIT_MS;
  for (let told = false; !tryTake(); told = true) {
    if (!told) console.error("Waiting for another process that is preparing this folder…");
    if (Date.now() > deadline) {
      console.error(`Gave up waiting. If nothing else is running, delete ${lock}`);
      process.exit(1);
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  }
}

function tryTake() {
  try {
    mkdirSync(lock);
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error;
    if (isStale()) discard();
    return false;
  }
  writeFileSync(owner, String(process.pid));
  return true;
}

/** Moved away before it is deleted, so that of two processes that find it stale only one clears it. */
function discard() {
  const away = `${lock}.${process.pid}`;
  try {
    renameSync(lock, away);
    rmSync(away, { recursive: true, force: true });
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
  }
}

function isStale() {
  try {
    const pid = Number(readFileSync(owner, "utf8"));
    if (pid > 0) return !isAlive(pid);
    return Date.now() - statSync(lock).mtimeMs > NAMELESS_MS;
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
    const since = statSync(lock, { throwIfNoEntry: false })?.mtimeMs;
    return since !== undefined && Date.now() - since > NAMELESS_MS;
  }
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !hasCode(error, "ESRCH");
  }
}

/**
 * @param {unknown} error
 * @param {string} code
 */
function hasCode(error, code) {
  return error instanceof Error && "code" in error && error.code === code;
}
