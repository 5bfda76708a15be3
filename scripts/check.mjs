// Runs every static check, each one even if another failed, and fails if any of them did.

import { spawnSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { installIfStale } from "./install.mjs";
import { alone } from "./lock.mjs";
import { requireNode } from "./node-version.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const bin = "node_modules";
const tools = "tools/node_modules";

/** What each step runs with this Node.js: a script and its arguments. @type {Record<string, string[]>} */
const steps = {
  "types: what is published": [`${bin}/typescript/bin/tsc`, "-p", "tsconfig.build.json", "--noEmit"],
  "types: everything": [`${bin}/typescript/bin/tsc`, "-p", "tsconfig.json"],
  "types: coverage": [
    `${tools}/type-coverage/bin/type-coverage`,
    "-p",
    "tsconfig.build.json",
    "--strict",
    "--at-least",
    "99.5",
    "--detail",
  ],
  lint: [
    `${bin}/oxlint/bin/oxlint`,
    "--type-aware",
    "--deny-warnings",
    "--report-unused-disable-directives",
    "--format=unix",
  ],
  format: [`${bin}/@biomejs/biome/bin/biome`, "ci", "--colors=off", "--diagnostic-level=error"],
  layers: [
    `${tools}/dependency-cruiser/bin/dependency-cruise.mjs`,
    "src",
    "--config",
    ".dependency-cruiser.cjs",
    "--output-type",
    "err",
  ],
  "unused code": [`${tools}/knip/bin/knip.js`, "--no-progress", "--no-config-hints"],
  smells: ["scripts/check-smells.mjs"],
  lockfiles: ["scripts/check-lockfile.mjs"],
};

requireNode();
alone(() => {
  installIfStale(".");
  installIfStale("tools");
});

const wanted = process.argv.slice(2);
const failed = [];
for (const [name, args] of Object.entries(steps)) {
  if (wanted.length > 0 && !wanted.some((word) => name.includes(word))) continue;
  const started = Date.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" },
    maxBuffer: 64 * 1024 * 1024,
  });
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  console.log(`${status === 0 ? "ok    " : "FAILED"} ${name} (${seconds} s)`);
  if (status === 0) continue;
  failed.push(name);
  console.log(`${stdout}${stderr}`.trimEnd());
}
console.log(failed.length === 0 ? "All checks passed." : `Failed: ${failed.join(", ")}.`);
process.exitCode = failed.length === 0 ? 0 : 1;
