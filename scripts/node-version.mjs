// Says in words that Node.js is too old, before anything else fails in a way that is hard to read.

import { readFileSync } from "node:fs";
import process from "node:process";

/** Ends the process unless this Node.js is at least the one that package.json asks for. */
export function requireNode() {
  const { engines } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  const wanted = engines.node.replace(/[^\d.]/g, "");
  if (isAtLeast(process.versions.node, wanted)) return;
  console.error(
    `engram-lock needs Node.js ${wanted} or newer, and this is ${process.version}. Please install a newer one.`,
  );
  process.exit(1);
}

/**
 * @param {string} actual
 * @param {string} wanted
 */
function isAtLeast(actual, wanted) {
  const have = actual.split(".").map(Number);
  const want = wanted.split(".").map(Number);
  for (let part = 0; part < want.length; part += 1) {
    const difference = (have[part] || 0) - (want[part] || 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}
