// Finds lockfiles that would fail elsewhere: an optional package without an entry stops `npm ci`, and an
// address in an entry ties everybody to the registry of whoever made the lockfile.

import { readFileSync } from "node:fs";
import process from "node:process";

/** @typedef {{ resolved?: string, optionalDependencies?: Record<string, string> }} Entry */

let faults = 0;
for (const file of ["package-lock.json", "tools/package-lock.json", "tools/mutation/package-lock.json"]) {
  /** @type {{ packages: Record<string, Entry> }} */
  const { packages } = JSON.parse(readFileSync(new URL(`../${file}`, import.meta.url), "utf8"));
  const names = new Set(
    Object.keys(packages).map((path) => path.slice(path.lastIndexOf("node_modules/") + 13)),
  );
  for (const [path, entry] of Object.entries(packages)) {
    for (const name of Object.keys(entry.optionalDependencies ?? {})) {
      if (!names.has(name))
        report(
          `${file}: "${name}", optional for "${path}", has no entry; pin another version of what needs it`,
        );
    }
    if (entry.resolved?.includes("://")) {
      report(
        `${file}: "${path}" names the address ${entry.resolved}; remove its "resolved" line (.npmrc prevents them)`,
      );
    }
  }
}
process.exitCode = faults === 0 ? 0 : 1;

/** @param {string} fault */
function report(fault) {
  faults += 1;
  console.log(fault);
}
