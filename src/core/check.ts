/** Looking whether paths could be had, without asking for them. */
import { type Blocker, visitBlockers } from "./blockers.js";
import type { Claim, Request } from "./claim.js";
import { type Granted, ownHolder } from "./holding.js";

import type { ResourcePath } from "./resource-path.js";
import type { View } from "./view.js";

export interface Checked {
  readonly mine: readonly (Granted & { readonly revision: number })[];
  readonly theirs: readonly { readonly path: string; readonly blockers: readonly Blocker[] }[];
  readonly free: readonly string[];
}

const shownBlockers = 3;

/** Sorts paths into those the agent holds, those an exclusive claim would not get at once, and the free ones. */
export function check(view: View, resources: readonly ResourcePath[], agentId: string): Checked {
  const mine: (Granted & { revision: number })[] = [];
  const theirs: { path: string; blockers: Blocker[] }[] = [];
  const free: string[] = [];
  for (const resource of resources) {
    const { path } = resource;
    const holder = ownHolder(view, path, agentId);
    if (holder !== undefined) {
      mine.push({ path, holder, revision: view.lockRevision(path) });
      continue;
    }
    const claim: Claim = { resource, lockId: "", ttlMs: 0 };
    const request: Request = {
      requestId: "",
      agentId,
      mode: "exclusive",
      scope: "resource",
      claims: [claim],
    };
    const blockers: Blocker[] = [];
    visitBlockers(view, request, claim, undefined, (blocker) => blockers.push(blocker) >= shownBlockers);
    if (blockers.length > 0) theirs.push({ path, blockers });
    else free.push(path);
  }
  return { mine, theirs, free };
}
