/** What an error of the driver or the server says about a request. */
import { StoreError } from "../store.js";

/** The server refused before the script had written anything: another try may find it otherwise. */
const refusedForNow = new Set([
  "ASK",
  "BUSY",
  "CLUSTERDOWN",
  "LOADING",
  "MASTERDOWN",
  "MISCONF",
  "MOVED",
  "NOREPLICAS",
  "NOSCRIPT",
  "OOM",
  "READONLY",
  "TRYAGAIN",
]);
/** The server will not do it, however often it is asked. */
const refusedForGood = new Set(["NOAUTH", "NOPERM", "WRONGPASS", "ENGRAMFORMAT", "ENGRAMREVISION"]);

const explained: Readonly<Record<string, string>> = {
  ENGRAMFORMAT: "what is stored there has the format of another version of engram-lock",
  ENGRAMREVISION: "the next revision would be beyond the largest safe integer",
  MOVED: 'the server is part of a cluster; add "cluster=true" to the URL',
  NOPERM: "the user may not do all that is needed, see docs/stores.md",
  OOM: "the server's memory is full",
  READONLY: "the server has become a replica",
};

/** The code that begins every error reply, such as `OOM`; `undefined` when it is no reply of the server. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && error.name === "ReplyError" ? error.message.split(" ", 1)[0] : undefined;
}

/**
 * The failure of a request that was sent. `outcome`: what a failure means that says nothing about it, `unknown` for a commit and `none` for a read.
 */
export function failureOf(error: unknown, where: string, outcome: "none" | "unknown"): StoreError {
  const code = codeOf(error) ?? "";
  const message = error instanceof Error ? error.message : String(error);
  const why = explained[code] === undefined ? message : `${explained[code]} (${message})`;
  const forGood = refusedForGood.has(code);
  return new StoreError(`Redis at ${where} failed: ${why}`, {
    outcome: forGood || refusedForNow.has(code) ? "none" : outcome,
    retryable: !forGood,
    cause: error,
  });
}

/** The failure of a request that was never sent. */
export function unsent(message: string, retryable: boolean, cause?: unknown): StoreError {
  return new StoreError(message, { outcome: "none", retryable, cause });
}
