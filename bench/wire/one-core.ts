/** Everything on one core: then no time goes by in waking another one, and what is left is the work itself. */
import { isOnPath } from "../on-path.js";

export const oneCore = 0;

/** Says so where processes cannot be kept on one core. */
export function canPin(): boolean {
  const can = isOnPath("taskset");
  if (!can) console.log("One core is left out: no taskset on the PATH.");
  return can;
}
