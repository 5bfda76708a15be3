// Builds src/ into dist/: compiled modules, and files that are no code as they are.

import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { alone } from "./lock.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const source = join(root, "src");
const target = join(root, "dist");
/** Its time says how new the sources are that dist/ was built from. The compiler's own file would also change without a build. */
const stamp = join(target, ".built");
const kept = [".built", "build.tsbuildinfo"];
const API_PAGE = "swagger-ui";

/** Builds if anything that goes into dist/ is newer than dist/. */
export function buildIfStale() {
  const inputs = ["package-lock.json", "tsconfig.json", "tsconfig.build.json", "scripts/build.mjs"];
  const newest = Math.max(...inputs.map((file) => modified(join(root, file))), newestIn(source));
  if (modified(stamp) >= newest) return;
  console.error("Building…");
  if (build()) return;
  console.error("The build failed, see above.");
  process.exit(1);
}

/** Answers whether the build succeeded. */
function build() {
  const started = new Date();
  if (!compile()) return false;
  removeLeftovers();
  copyAssets();
  copyApiPage();
  chmodSync(join(target, "main.js"), 0o755);
  // The time of the start: a source that was saved while this ran is newer.
  writeFileSync(stamp, "");
  utimesSync(stamp, started, started);
  return true;
}

function compile() {
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  const result = spawnSync(process.execPath, [compiler, "-p", join(root, "tsconfig.build.json")], {
    stdio: ["ignore", 2, 2],
  });
  return result.status === 0;
}

/** Removes what was built from sources that are gone. */
function removeLeftovers() {
  for (const file of filesIn(target)) {
    if (kept.includes(file) || file.startsWith(API_PAGE)) continue;
    const origin = file.replace(/(\.d\.ts|\.js)$/, ".ts");
    if (!existsSync(join(source, origin)) && !existsSync(join(source, file))) rmSync(join(target, file));
  }
}

function copyAssets() {
  for (const file of filesIn(source)) {
    if (!file.endsWith(".ts")) cpSync(join(source, file), join(target, file));
  }
}

/** The page that shows the HTTP API, which works without a network: two files and their licences out of many. */
function copyApiPage() {
  for (const file of [
    "swagger-ui-bundle.js",
    "swagger-ui.css",
    "swagger-ui-bundle.js.LICENSE.txt",
    "LICENSE",
    "NOTICE",
  ]) {
    cpSync(join(root, "node_modules/swagger-ui-dist", file), join(target, API_PAGE, file));
  }
}

/** @param {string} folder */
function filesIn(folder) {
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) =>
    statSync(join(folder, path)).isFile(),
  );
}

/**
 * The time of the last change in a folder. Folders count too: theirs changes when a file is removed.
 *
 * @param {string} folder
 */
function newestIn(folder) {
  let newest = modified(folder);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    newest = Math.max(newest, entry.isDirectory() ? newestIn(path) : modified(path));
  }
  return newest;
}

/** @param {string} file */
function modified(file) {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? -1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  alone(() => {
    if (process.argv.includes("--clean")) rmSync(target, { recursive: true, force: true });
    if (!build()) process.exitCode = 1;
  });
}
