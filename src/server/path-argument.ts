/** The part of the path that names something, decoded exactly once, by nobody else. */
import type { Exchange } from "./exchange.js";
import { decodePercent } from "./request-query.js";

/** @throws LockError `invalid`, naming `field`, for what is not percent-encoded UTF-8. */
export function pathArgument(
  exchange: Exchange,
  field: string,
  around: { readonly before: string; readonly after?: string },
): string {
  const { before, after = "" } = around;
  const { rawPath } = exchange;
  return decodePercent(rawPath.slice(before.length, rawPath.length - after.length), field);
}
