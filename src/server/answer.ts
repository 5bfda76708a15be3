/** Answers as plain data: what a route returns, whoever writes it to the network. */
import { requestIdHeader } from "../protocol/headers.js";

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array<ArrayBuffer>;
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
): Answer {
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

export function withHeaders(answer: Answer, headers: Readonly<Record<string, string>>): Answer {
  return { ...answer, headers: { ...answer.headers, ...headers } };
}

export function withRequestId(answer: Answer, requestId: string): Answer {
  return withHeaders(answer, { [requestIdHeader]: requestId });
}
