// Kills its process at one named moment of its work with the embedded store. Loaded before the program, with `node --import`; what to do is in the
// environment, as JSON. The store's own code knows nothing of it: LMDB and the file system are wrapped.

import fs from "node:fs";
import { register, syncBuiltinESMExports } from "node:module";
import process from "node:process";
import { Worker } from "node:worker_threads";

/**
 * @typedef {object} Failpoint
 * @property {string} point
 * @property {number} nth  the how manieth time that the point is reached
 * @property {number} fraction  of the time that a flush takes: when within it
 * @property {boolean} onSignal  count only from SIGUSR2 on
 */

/** @type {Failpoint} */
const { point, nth, fraction, onSignal } = JSON.parse(process.env["FAILPOINT"] ?? "{}");
let left = onSignal ? Number.POSITIVE_INFINITY : nth;
if (onSignal) {
  process.on("SIGUSR2", () => {
    left = nth;
    say("armed");
  });
}

/** Kills the process if this is where, and when, it is to die. @param {string} name */
export function reach(name) {
  if (name === point && --left <= 0) die();
}

function die() {
  process.kill(process.pid, "SIGKILL");
}

/** Milliseconds, the mean of the flushes so far. */
let flushMs = 0;
let flushes = 0;

/** To be called when a flush begins; the answer, when it has ended. */
export function duringFlush() {
  const isLast = point === "during-flush" && --left <= 0;
  const began = performance.now();
  if (isLast) executioner.wakeAfter(fraction * flushMs);
  return () => {
    flushes += 1;
    flushMs += (performance.now() - began - flushMs) / flushes;
    // The kill comes too late then, and the report tells the two apart.
    if (isLast) say("flushed");
  };
}

/** @param {string} line */
function say(line) {
  process.stdout.write(`${line}\n`);
}

/** A thread, because the flush holds up this one. */
function startExecutioner() {
  const shared = new SharedArrayBuffer(16);
  const state = new Int32Array(shared, 0, 1);
  const delay = new Float64Array(shared, 8, 1);
  const program = `
    const { workerData } = require("node:worker_threads");
    const state = new Int32Array(workerData, 0, 1);
    const delay = new Float64Array(workerData, 8, 1);
    Atomics.wait(state, 0, 0);
    Atomics.wait(state, 0, 1, delay[0]);
    process.kill(process.pid, "SIGKILL");
  `;
  const worker = new Worker(program, { eval: true, workerData: shared, execArgv: [] });
  worker.unref();
  return {
    /** @param {number} ms */
    wakeAfter(ms) {
      delay[0] = ms;
      Atomics.store(state, 0, 1);
      Atomics.notify(state, 0);
    },
  };
}

const executioner = startExecutioner();

if (point === "creating") {
  const files = /** @type {Record<string, (...args: unknown[]) => unknown>} */ (
    /** @type {unknown} */ (fs.promises)
  );
  for (const name of ["mkdtemp", "link", "rm", "writeFile", "rename"]) {
    const original = files[name];
    files[name] = (...args) => {
      reach("creating");
      return original?.apply(files, args);
    };
  }
  syncBuiltinESMExports();
}

register("./redirect.mjs", import.meta.url);
