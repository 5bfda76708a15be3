/** The query of a request: each name once, each one known. */
import type { z } from "zod";
import { invalid } from "../errors.js";
import { parseAs } from "../protocol/validation.js";
import type { Exchange } from "./exchange.js";

/** @throws LockError `invalid` when it is not as `schema` wants it. */
export function readQuery<Schema extends z.ZodType>(exchange: Exchange, schema: Schema): z.output<Schema> {
  const members = new Map<string, string>();
  for (const member of exchange.rawQuery.split("&")) {
    if (member === "") continue;
    const end = member.indexOf("=");
    const name = decode(end < 0 ? member : member.slice(0, end));
    const value = decode(end < 0 ? "" : member.slice(end + 1));
    if (members.has(name)) throw invalid("query", name, "each name only once");
    members.set(name, value);
  }
  return parseAs(schema, Object.fromEntries(members));
}

function decode(text: string): string {
  return decodePercent(text.replaceAll("+", " "), "query");
}

/** Decodes exactly once. @throws LockError `invalid` for what is not percent-encoded UTF-8. */
export function decodePercent(text: string, field: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid(field, text, "percent-encoded UTF-8");
  }
}
