// Breaks the sources in small ways and looks whether a test notices: `npm run mutation -- core --mutate src/core/queue.ts`. Takes hours without a choice of files.

import { spawnSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { installIfStale } from "./install.mjs";
import { alone } from "./lock.mjs";
import { requireNode } from "./node-version.mjs";

requireNode();
alone(() => {
  installIfStale(".");
  installIfStale("tools/mutation");
});
const root = fileURLToPath(new URL("..", import.meta.url));
const stryker = "tools/mutation/node_modules/@stryker-mutator/core/bin/stryker.js";
const [first = "", ...others] = process.argv.slice(2);
const isPart = first === "core" || first === "manager";
const options = isPart ? others : process.argv.slice(2);
for (const part of isPart ? [first] : ["core", "manager"]) {
  // Few tests kill most; the second round only has what survived the first.
  run(part, "1");
  if (run(part, "2") !== 0) process.exitCode = 1;
}

/**
 * @param {string} part
 * @param {"1" | "2"} round
 */
function run(part, round) {
  const { status } = spawnSync(
    process.execPath,
    [stryker, "run", `tools/mutation/${part}.config.mjs`, ...options],
    { cwd: root, stdio: "inherit", env: { ...process.env, MUTATION_ROUND: round } },
  );
  return status;
}
