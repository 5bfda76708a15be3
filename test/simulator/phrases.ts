/** Actions and faults in the words of the scenarios. */
import { formatDuration } from "../../src/duration.js";
import type { FaultName } from "../support/faulty-store.js";
import type { Action } from "./script.js";

export function acquirePhrase(action: Action & { kind: "acquire" }): string {
  const { agentId, paths, mode, scope, ttlMs, timeoutMs, extending, isWork } = action;
  const waiting =
    timeoutMs === 0 ? "now" : timeoutMs === Infinity ? "waiting for ever" : `waiting ${timeoutMs}ms`;
  return [
    isWork ? "work" : "acquire",
    agentId,
    ...paths,
    ...(mode === "shared" ? ["shared"] : []),
    ...(scope === "tree" ? ["tree"] : []),
    `for ${ttlMs}ms`,
    waiting,
    ...(extending && !isWork ? ["extending"] : []),
  ].join(" ");
}

const faultPhrases: Readonly<Record<FaultName, string>> = {
  "reply lost": "store loses the next reply",
  "request lost": "store loses the next request",
  late: "store carries out the next request late",
  refused: "store refuses the next 1 commits",
  slow: "store takes long for the next commit",
  overtaken: "another writer is faster 1 times",
  down: "store is down",
  "read refused": "store refuses the next read",
  "read slow": "store takes long for the next read",
  "hint lost": "hints are lost",
  "hint repeated": "hints come twice",
  "hint delayed": "hints take long",
};

export function faultPhrase(fault: FaultName, ms: number | undefined): string {
  if (ms === undefined) return faultPhrases[fault];
  const time = `${Math.ceil(ms)}ms`;
  if (fault === "late") return `store carries out the next request ${time} late`;
  return faultPhrases[fault].replace("takes long", `takes ${time}`).replace("take long", `take ${time}`);
}

export function stopPhrase(forMs: number): string {
  return `stops for ${formatDuration(forMs)}`;
}
