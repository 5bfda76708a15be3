/** When two claims stand in each other's way: the rule of the documents, without the core. */
import type { Mode, Scope } from "../../src/core/claim.js";

/** Where a claim stands, as far as it decides about conflicts. */
export interface Region {
  readonly agentId: string;
  readonly mode: Mode;
  readonly scope: Scope;
  readonly path: string;
}

function covers(above: Region, path: string): boolean {
  if (above.path === path) return true;
  if (above.scope === "resource") return false;
  return above.path === "/" || (path.startsWith(above.path) && path[above.path.length] === "/");
}

/** Two claims conflict iff their agents differ, at least one is exclusive, and their regions overlap. */
export function collide(a: Region, b: Region): boolean {
  if (a.agentId === b.agentId || (a.mode === "shared" && b.mode === "shared")) return false;
  return covers(a, b.path) || covers(b, a.path);
}
