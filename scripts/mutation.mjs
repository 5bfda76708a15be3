// Breaks the sources in small ways and looks whether a test notices: `npm run mutation -- --mutate src/core/queue.ts`. Takes hours without a choice of files.

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
const stryker = "tools/mutation/node_modules/@stryker-mutator/core/bin/stryker.js";
const { status } = spawnSync(
  process.execPath,
  [stryker, "run", "tools/mutation/stryker.config.mjs", ...process.argv.slice(2)],
  { cwd: fileURLToPath(new URL("..", import.meta.url)), stdio: "inherit" },
);
process.exitCode = status ?? 1;
