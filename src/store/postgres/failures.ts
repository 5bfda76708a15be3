/** What a failure of PostgreSQL, or of the way there, means for the request that met it. */
import { StoreError } from "../store.js";
import { namespaceIsGone, revisionsAreUsedUp } from "./definitions.js";

/**
 * Classes and codes of SQLSTATE after which another try cannot help. Source: PostgreSQL's documentation, appendix A.
 *
 * Everything else is worth another try: connections lost or refused (08, 53300), deadlocks and serialization (40), locks and other
 * servers' states (55, 57, 58), and a server that only reads (25006): after a failover the same address leads to one that writes.
 */
const final = new Set([
  "0A", // feature not supported
  "22", // data exception: such as a NUL in a key
  "23", // integrity constraint violation
  "28", // invalid authorization specification
  "3D", // no such database
  "3F", // no such schema
  "42", // syntax, privileges, no such table or procedure
  "54", // program limit exceeded: such as a key too long for an index
  "XX001", // data corrupted
  "XX002", // index corrupted
  namespaceIsGone,
  revisionsAreUsedUp,
]);

/** How far the request had come. */
export type Sent = "not sent" | "sent";

/** `outcome`: of a read always `none`. */
export function failure(
  place: string,
  error: unknown,
  { isCommit, sent }: { readonly isCommit: boolean; readonly sent: Sent },
): StoreError {
  if (error instanceof StoreError) return error;
  const outcome = isCommit && sent === "sent" && !isRolledBack(error) ? "unknown" : "none";
  return new StoreError(`${place}: ${textOf(error)}`, {
    outcome,
    retryable: isRetryable(error),
    cause: error,
  });
}

function isRetryable(error: unknown): boolean {
  if (error instanceof StoreError) return error.retryable;
  const state = stateOf(error);
  if (state === undefined) return !isOfCertificate(error);
  return !(final.has(state) || final.has(state.slice(0, 2)));
}

/** The server's certificate is refused. Source: the codes of Node's `tls`, such as DEPTH_ZERO_SELF_SIGNED_CERT. */
function isOfCertificate(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" && /CERT|^ERR_TLS_/.test(code);
}

/** The server only reads: it is a standby, or has become one. The next connection may lead to another one. */
export function onlyReads(error: unknown): boolean {
  return stateOf(error) === "25006";
}

/**
 * Whether the server, alive and well, has said that the statement failed, which means that its transaction was rolled back. The end of a
 * connection (severity FATAL, or class 08 from a pooler) says nothing about a commit that went before it.
 */
function isRolledBack(error: unknown): boolean {
  const state = stateOf(error);
  if (state === undefined || state.startsWith("08") || state === "40003") return false;
  return error instanceof Error && "severity" in error && error.severity === "ERROR";
}

/** Errors of the operating system have a code as well, such as ECONNREFUSED, but no severity. */
function stateOf(error: unknown): string | undefined {
  if (!(error instanceof Error && "code" in error && "severity" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

function textOf(error: unknown): string {
  // Node tries every address of a host, and what it throws when all fail says nothing itself.
  if (error instanceof AggregateError) return error.errors.map(textOf).join("; ");
  return error instanceof Error ? error.message : String(error);
}
