/** Folders for the stores under test, on the disk of the working copy: a system's temporary folder may be memory, where a flush costs nothing. */
import { closeSync, fdatasyncSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { median } from "./statistics.js";

const root = fileURLToPath(new URL("../scratch/", import.meta.url));
const left = new Set<string>();

process.once("exit", () => {
  for (const path of left) rmSync(path, { recursive: true, force: true });
});

export interface ScratchFolder {
  readonly path: string;
  remove(): void;
}

export function scratchFolder(name: string): ScratchFolder {
  mkdirSync(root, { recursive: true });
  const path = mkdtempSync(join(root, `${name}-`));
  left.add(path);
  return {
    path,
    remove() {
      rmSync(path, { recursive: true, force: true });
      left.delete(path);
    },
  };
}

/** What one append with flush costs here, in milliseconds: the floor of every durable store. */
export function flushCostMs(): number {
  const folder = scratchFolder("flush");
  const file = openSync(join(folder.path, "probe"), "w");
  const costs = Array.from({ length: 100 }, () => {
    const started = performance.now();
    writeSync(file, "x".repeat(256));
    fdatasyncSync(file);
    return performance.now() - started;
  });
  closeSync(file);
  folder.remove();
  return median(costs);
}
