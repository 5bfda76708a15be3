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
const stryker = "tools/mutation/node_modules/@stryker-mutator/core/bin/stryker.js";
const [first = "", ...others] = process.argv.slice(2);
const isPart = first === "core" || first === "manager";
const options = isPart ? others : process.argv.slice(2);
for (const part of isPart ? [first] : ["core", "manager"]) {
  const { status } = spawnSync(
    process.execPath,
    [stryker, "run", `tools/mutation/${part}.config.mjs`, ...options],
    { cwd: fileURLToPath(new URL("..", import.meta.url)), stdio: "inherit" },
  );
  if (status !== 0) process.exitCode = status ?? 1;
}
