/** Where a server may listen. */
import { isIPv4 } from "node:net";
import { CommandError } from "./command-error.js";

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * `HOST:PORT` or `[IPv6]:PORT`; `none` is no address.
 *
 * @throws CommandError also for an address that other machines can reach: there are no credentials yet, so
 * anybody could end anybody's locks.
 */
export function parseListen(text: string): ListenAddress | undefined {
  if (text === "none") return undefined;
  const match = /^(?:\[([\da-fA-F:]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || !(port <= 65_535))
    throw new CommandError(
      "usage",
      `Invalid --listen "${text}": expected HOST:PORT, such as 127.0.0.1:7420.`,
    );
  if (!isLoopback(host))
    throw new CommandError(
      "bad_configuration",
      `Cannot listen on "${text}": other machines could reach it, and this version has no credentials to tell them apart.`,
      ["Listen on 127.0.0.1, and put a proxy that checks credentials before it."],
    );
  return { host, port };
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIPv4(host) && host.startsWith("127."));
}
