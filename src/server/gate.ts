/**
 * Who may ask at all, decided before any routing. A page of another site can make a browser send requests to this machine, and a name of that site can
 * resolve to it (DNS rebinding): both show in `Host` and `Origin`.
 */
import type { IncomingMessage } from "node:http";
import { invalid } from "../errors.js";
import { forbidden } from "./http-refusal.js";

const localNames = ["127.0.0.1", "localhost", "[::1]"];

/** A name or address, in brackets where it is IPv6, and perhaps a port. */
const hostPattern = /^([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?$/;
const originPattern = /^(https?):\/\/([^/?#@\s]+)$/;
/** What RFC 3986 allows, more or less: visible ASCII, no fragment and no backslash (which some take for a slash). */
const targetPattern = /^\/[!-"$-[\]-~]*$/;
/** A segment that some would resolve before they look. */
const dotSegment = /(^|\/)(\.|%2e){1,2}(\/|$)/i;

export type Gate = (incoming: IncomingMessage) => void;

/**
 * @param names allowed in `Host` beside those of this machine.
 * @returns what throws an `HttpRefusal` or a `LockError` for a request that may not pass.
 */
export function createGate(names: readonly string[]): Gate {
  const allowed = new Set([...localNames, ...names.map((name) => name.toLowerCase())]);
  const allowedWords = `one of ${[...allowed].join(", ")}, with any port`;
  return (incoming) => {
    const host = parseHost(incoming, allowed);
    if (host === undefined) throw forbidden("Host", incoming.headers.host, allowedWords);
    const { origin } = incoming.headers;
    if (origin !== undefined && !isSameOrigin(origin, host))
      throw forbidden("Origin", origin, "none, or that of this server");
    checkTarget(incoming.url ?? "");
  };
}

interface Host {
  readonly name: string;
  readonly port: string | undefined;
}

function parseHost(incoming: IncomingMessage, allowed: ReadonlySet<string>): Host | undefined {
  const hosts = incoming.rawHeaders.filter((text, index) => index % 2 === 0 && text.toLowerCase() === "host");
  if (hosts.length !== 1) return undefined;
  const match = hostPattern.exec(incoming.headers.host?.toLowerCase() ?? "");
  const name = match?.[1];
  if (name === undefined || !allowed.has(name)) return undefined;
  return { name, port: match?.[2] };
}

/** A proxy may speak TLS to the browser and none to us, so the scheme decides only which port is meant by none. */
function isSameOrigin(origin: string, host: Host): boolean {
  const [, scheme, authority = ""] = originPattern.exec(origin.toLowerCase()) ?? [];
  const match = hostPattern.exec(authority);
  const usual = scheme === "https" ? "443" : "80";
  return match?.[1] === host.name && (match[2] ?? usual) === (host.port ?? usual);
}

function checkTarget(target: string): void {
  if (!targetPattern.test(target))
    throw invalid("request target", target, "a path in visible ASCII, with everything else percent-encoded");
  const path = target.split("?", 1)[0] ?? "";
  if (dotSegment.test(path)) throw invalid("request target", target, 'a path without "." and ".." segments');
}
