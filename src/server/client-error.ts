/** Answers what Node could not read as a request, in the same form as everything else. */
import { randomUUID } from "node:crypto";
import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { LockError } from "../errors.js";
import { type WholeAnswer, withRequestId } from "./answer.js";
import { HttpRefusal } from "./http-refusal.js";
import { refusalAnswer } from "./refusal-answer.js";

const answers: ReadonlyMap<string, readonly [number, string]> = new Map([
  ["HPE_HEADER_OVERFLOW", [431, "The headers of the request are too large."]],
  ["HPE_CHUNK_EXTENSIONS_OVERFLOW", [413, "The chunk extensions of the request are too large."]],
  ["ERR_HTTP_REQUEST_TIMEOUT", [408, "The request took too long to arrive."]],
]);

export function answerClientError(error: Error & { code?: string }, socket: Duplex): void {
  if (error.code === "ECONNRESET" || !socket.writable || isAnswering(socket)) {
    socket.destroy();
    return;
  }
  const [status, message] = answers.get(error.code ?? "") ?? [400, "This is no request in HTTP/1.1."];
  const refusal = new HttpRefusal(new LockError("invalid", message), { status });
  const requestId = randomUUID();
  // There is no store time without a request that could read it; nothing in this answer is relative to it.
  endWith(socket, withRequestId(refusalAnswer(refusal, { now: new Date(0), requestId }), requestId));
}

/**
 * Answers on a socket that belongs to no request of Node's server, and ends it. Node watches over it no longer: neither for errors, which would end the
 * process, nor for how long it stays.
 */
export function endWith(socket: Duplex, answer: WholeAnswer): void {
  const { status } = answer;
  const headers = {
    ...answer.headers,
    "content-length": String(Buffer.byteLength(answer.body)),
    connection: "close",
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.on("error", () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${lines.join("")}\r\n${String(answer.body)}`,
    () => socket.destroy(),
  );
}

/** Something of an answer has gone out already; another one in the middle of it would only confuse. */
function isAnswering(socket: Duplex): boolean {
  const current: unknown = Reflect.get(socket, "_httpMessage");
  return typeof current === "object" && current !== null && Reflect.get(current, "headersSent") === true;
}
