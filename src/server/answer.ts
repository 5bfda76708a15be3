/** Answers as plain data: what a route returns, whoever writes it to the network. */
import { requestIdHeader } from "../protocol/headers.js";

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** A stream is written as fast as it is read, and cancelled when its reader has gone. */
  readonly body: Content | ReadableStream<Uint8Array>;
}

type Content = string | Uint8Array<ArrayBuffer>;

/** One whose body is there as a whole. */
export interface WholeAnswer extends Answer {
  readonly body: Content;
}

/** On every answer: nothing is guessed, framed, embedded elsewhere or told to the next site. */
const guardHeaders = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
};

const apiHeaders = {
  ...guardHeaders,
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
};

export function jsonAnswer(
  status: number,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): WholeAnswer {
  return {
    status,
    headers: { ...apiHeaders, "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  };
}

export function textAnswer(status: number, body: string, contentType = "text/plain; charset=utf-8"): Answer {
  return { status, headers: { ...apiHeaders, "content-type": contentType }, body };
}

/** A page or a part of one; `policy` is its content security policy. */
export function pageAnswer(
  body: string | Uint8Array<ArrayBuffer>,
  page: { readonly contentType: string; readonly policy: string; readonly cacheControl: string },
): Answer {
  return {
    status: 200,
    headers: {
      ...guardHeaders,
      "cache-control": page.cacheControl,
      "content-security-policy": page.policy,
      "content-type": page.contentType,
    },
    body,
  };
}

/** Server-sent events. */
export function eventStreamAnswer(body: ReadableStream<Uint8Array>): Answer {
  // For nginx, which would hold events back until it has a buffer full of them.
  const headers = { "content-type": "text/event-stream", "x-accel-buffering": "no" };
  return { status: 200, headers: { ...apiHeaders, ...headers }, body };
}

export function withHeaders<Some extends Answer>(
  answer: Some,
  headers: Readonly<Record<string, string>>,
): Some {
  return { ...answer, headers: { ...answer.headers, ...headers } };
}

export function withRequestId<Some extends Answer>(answer: Some, requestId: string): Some {
  return withHeaders(answer, { [requestIdHeader]: requestId });
}
