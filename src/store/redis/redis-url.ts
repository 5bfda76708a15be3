/** The URL of a Redis store: where the servers are, and what is expected of them. */
import { isIP } from "node:net";
import { invalid, type LockError } from "../../errors.js";

export interface Host {
  readonly host: string;
  readonly port: number;
}

export interface RedisPlace {
  readonly hosts: readonly Host[];
  readonly isEncrypted: boolean;
  readonly username?: string;
  readonly password?: string;
  readonly database: number;
  /** Lock spaces of different names know nothing of each other. */
  readonly namespace: string;
  readonly isCluster: boolean;
  /** The name under which Sentinels know the server; the hosts are theirs. */
  readonly sentinel?: string;
  readonly requireDurable: boolean;
}

const allowed =
  '"redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]", or "rediss://…" for TLS; several hosts, with commas between them, with "?cluster=true" or "?sentinel=NAME"';
const form = /^(rediss?):\/\/(?:([^@/?#]*)@)?([^@/?#]+)(?:\/([^/?#]*))?(?:\?([^#]*))?$/;
const hostForm = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+))(?::(\d{1,5}))?$/;
/** A brace would end the hash tag. */
const namespaceForm = /^[A-Za-z0-9_.-]{1,64}$/;
const parameters = ["namespace", "cluster", "sentinel", "requireDurable"] as const;
const defaultPort = 6379;
const defaultSentinelPort = 26_379;

/** @throws LockError `invalid`. Never shows a password. */
export function parseRedisUrl(url: string): RedisPlace {
  const [, scheme, login, hosts = "", database = "", query = ""] = form.exec(url) ?? [];
  if (scheme === undefined) throw invalid("store", withoutLogin(url), allowed);
  const refuse = (what: string): LockError => invalid("store", withoutLogin(url), what);

  const given = new URLSearchParams(query);
  for (const name of given.keys()) {
    if (!parameters.some((known) => known === name) || given.getAll(name).length > 1)
      throw refuse(`each of the parameters ${parameters.join(", ")} at most once, and no others`);
  }
  const isCluster = flag(given, "cluster", refuse);
  const sentinel = given.get("sentinel") ?? undefined;
  if (sentinel === "" || (isCluster && sentinel !== undefined))
    throw refuse("a cluster, or the name that Sentinels know the server by");
  const places = hosts
    .split(",")
    .map((text) => hostOf(text, sentinel === undefined ? defaultPort : defaultSentinelPort));
  if (places.some((place) => place === undefined)) throw refuse(allowed);
  if (places.length > 1 && !isCluster && sentinel === undefined)
    throw refuse('one host, unless there is "?cluster=true" or "?sentinel=NAME"');
  if (!/^\d{0,5}$/.test(database) || (isCluster && Number(database) !== 0))
    throw refuse("the number of a database, 0 in a cluster");
  const namespace = given.get("namespace") ?? "engram-lock";
  if (!namespaceForm.test(namespace))
    throw refuse("a namespace of 1 to 64 letters, digits, dots, dashes and underscores");
  const requireDurable = flag(given, "requireDurable", refuse);
  if (requireDurable && (isCluster || sentinel !== undefined))
    throw refuse("no requireDurable where a replica may take over, which lacks what it has not received yet");
  return {
    hosts: places.filter((place) => place !== undefined),
    isEncrypted: scheme === "rediss",
    ...loginOf(login, refuse),
    database: Number(database),
    namespace,
    isCluster,
    ...(sentinel === undefined ? {} : { sentinel }),
    requireDurable,
  };
}

function flag(given: URLSearchParams, name: string, refuse: (what: string) => LockError): boolean {
  const text = given.get(name) ?? "false";
  if (text !== "true" && text !== "false") throw refuse(`${name}=true or ${name}=false`);
  return text === "true";
}

function hostOf(text: string, otherwise: number): Host | undefined {
  const [matched, ipv6, name, digits] = hostForm.exec(text) ?? [];
  const port = digits === undefined ? otherwise : Number(digits);
  if (matched === undefined || port < 1 || port > 65_535) return undefined;
  if (ipv6 !== undefined && isIP(ipv6) !== 6) return undefined;
  return { host: ipv6 ?? name ?? "", port };
}

function loginOf(
  login: string | undefined,
  refuse: (what: string) => LockError,
): Pick<RedisPlace, "username" | "password"> {
  if (login === undefined) return {};
  const [username, ...rest] = login.split(":");
  try {
    const name = decodeURIComponent(username ?? "");
    const password = decodeURIComponent(rest.join(":"));
    if (password === "") throw refuse("USER:PASSWORD or :PASSWORD before the @");
    return { ...(name === "" ? {} : { username: name }), password };
  } catch (error) {
    if (error instanceof URIError) throw refuse("USER and PASSWORD percent-encoded");
    throw error;
  }
}

/** For messages. */
function withoutLogin(url: string): string {
  return url.replace(/\/\/.*@/s, "//…@");
}
