/** Refusals that HTTP has a status of its own for, beyond what the catalogue says of the code. */
import { invalid, LockError } from "../errors.js";

export interface HttpTerms {
  readonly status?: number;
  readonly retryable?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
}

export class HttpRefusal extends Error {
  override readonly name = "HttpRefusal";
  readonly error: LockError;
  readonly terms: HttpTerms;

  constructor(error: LockError, terms: HttpTerms) {
    super(error.message, { cause: error });
    this.error = error;
    this.terms = terms;
  }
}

export function notFound(): HttpRefusal {
  const error = new LockError("invalid", "There is nothing at this address.", {
    next: ["Look at /openapi.json or /docs for what there is."],
  });
  return new HttpRefusal(error, { status: 404 });
}

export function methodNotAllowed(allowed: readonly string[]): HttpRefusal {
  const methods = allowed.join(", ");
  const error = new LockError("invalid", `This address answers only ${methods}.`, {
    field: "method",
    allowed: methods,
    next: ["Look at /openapi.json or /docs for what there is."],
  });
  return new HttpRefusal(error, { status: 405, headers: { allow: methods } });
}

export function upgradeRequired(): HttpRefusal {
  const error = new LockError("invalid", "This address is for WebSockets.", {
    field: "Upgrade",
    allowed: "websocket",
    next: ["Open a WebSocket with the subprotocol engram-lock.v1, or use the HTTP calls."],
  });
  return new HttpRefusal(error, { status: 426, headers: { upgrade: "websocket", connection: "upgrade" } });
}

export function unsupportedMediaType(): HttpRefusal {
  const error = new LockError("invalid", "The body of this call must be JSON in UTF-8, and say so.", {
    field: "Content-Type",
    allowed: "application/json",
    next: ["Send Content-Type: application/json and no Content-Encoding."],
  });
  // The body is left unread, so the connection is of no further use.
  return new HttpRefusal(error, { status: 415, headers: { accept: "application/json" } });
}

export function bodyTooLarge(limitBytes: number): HttpRefusal {
  const error = new LockError("invalid", `The body of this call has more than ${limitBytes} bytes.`, {
    field: "body",
    allowed: `at most ${limitBytes} bytes`,
    limit: limitBytes,
    next: ["Make several smaller calls."],
  });
  return new HttpRefusal(error, { status: 413, headers: { connection: "close" } });
}

export function badBody(allowed: string): LockError {
  return new LockError("invalid", `Invalid body: expected ${allowed}.`, { field: "body", allowed });
}

export function forbidden(field: "Host" | "Origin", value: string | undefined, allowed: string): HttpRefusal {
  return new HttpRefusal(invalid(field, value, allowed), { status: 403, headers: { connection: "close" } });
}

export function shuttingDown(): HttpRefusal {
  const error = new LockError("closed", "The server is shutting down and takes no more waits.", {
    next: ["Make the call again in a moment: another server may be there by then."],
  });
  return new HttpRefusal(error, { status: 503, retryable: true, headers: { "retry-after": "1" } });
}

export function tooManyWaits(limit: number): HttpRefusal {
  const error = new LockError(
    "limit_exceeded",
    `Cannot wait: ${limit} requests already wait on this server, the most it allows.`,
    { limit, next: ["Try again in a moment, or without a timeout."] },
  );
  return new HttpRefusal(error, { status: 429, headers: { "retry-after": "1" } });
}

export function tooManyStreams(limit: number): HttpRefusal {
  const error = new LockError(
    "limit_exceeded",
    `Cannot subscribe: ${limit} streams of events are already open on this server, the most it allows.`,
    { limit, next: ["Close a stream that is no longer read, or try again in a moment."] },
  );
  return new HttpRefusal(error, { status: 429, headers: { "retry-after": "1" } });
}
