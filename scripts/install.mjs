// Installs what a lockfile names, when what is installed is missing or older than the lockfile.

import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** @param {string} folder of a package with its own lockfile, relative to the root of the repository */
export function installIfStale(folder) {
  const inside = folder === "." ? "" : `${folder}/`;
  // npm writes the second file last of all, so an interrupted installation counts as none.
  if (modified(`${inside}node_modules/.package-lock.json`) >= modified(`${inside}package-lock.json`)) return;

  const started = Date.now();
  console.error(`Installing the dependencies in ${inside}package-lock.json…`);
  // Dependencies' install scripts are not run: none of them is needed.
  const options = ["--ignore-scripts", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"];
  const { status, stdout, error } = npm(["ci", "--prefix", folder, ...options]);
  if (status !== 0) {
    console.error(
      `${stdout ?? ""}\nCould not install the dependencies${error ? `: ${error.message}` : ", see above."}`,
    );
    process.exit(1);
  }
  console.error(`Installed in ${((Date.now() - started) / 1000).toFixed(1)} s.`);
}

/**
 * The npm that started this script, or else the one on PATH.
 *
 * @param {string[]} args
 */
function npm(args) {
  const own = process.env["npm_execpath"];
  /** @type {import("node:child_process").SpawnSyncOptionsWithStringEncoding} */
  const options = { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] };
  if (own !== undefined && own.endsWith("npm-cli.js"))
    return spawnSync(process.execPath, [own, ...args], options);
  return spawnSync("npm", args, { ...options, shell: process.platform === "win32" });
}

/** @param {string} file */
function modified(file) {
  return statSync(`${root}${file}`, { throwIfNoEntry: false })?.mtimeMs ?? -1;
}
