/** Where an etcd cluster is and how it is used: what the URL of an etcd store says. */
import { readFileSync } from "node:fs";
import { toMilliseconds } from "../../duration.js";
import { invalid } from "../../errors.js";

export interface EtcdAddress {
  /** Origins of the members' client ports, at least one, in the order in which they are tried. */
  readonly endpoints: readonly string[];
  readonly namespace: string;
  /** The most by which the clocks of any two machines that use the store may differ, in milliseconds. */
  readonly maxClockSkewMs: number;
  /** The servers' `--max-txn-ops`. */
  readonly maxTxnOps: number;
  readonly user?: { readonly name: string; readonly password: string };
  readonly tls?: Tls;
}

/** PEM texts. */
export interface Tls {
  /** Of the authority that signed the servers' certificates; the usual ones when left out. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

const allowed =
  '"etcd://[USER:PASSWORD@]HOST:PORT[,HOST:PORT…][?namespace=NAME&maxClockSkew=DURATION&maxTxnOps=N]", or "etcds:" with "ca", "cert" and "key" as well';
const shape = /^(etcds?):\/\/(?:([^@/?#]*)@)?([^@/?#]+)\/?(?:\?([^#]*))?$/;
const namespacePattern = /^[A-Za-z0-9._-]{1,64}$/;
const txnOps = { usual: 128, least: 32, most: 100_000 };
const parameters = new Set(["namespace", "maxClockSkew", "maxTxnOps", "ca", "cert", "key"]);
const clientPort = "2379";

/** @throws LockError `invalid`; the message does not repeat the password. */
export function parseAddress(url: string): EtcdAddress {
  const refused = (): Error => invalid("store", url.replace(/(:\/\/[^:@]*):[^@]*@/, "$1:***@"), allowed);
  const [, scheme, login, hosts = "", query = ""] = shape.exec(url) ?? [];
  if (scheme === undefined) throw refused();
  const options = new URLSearchParams(query);
  for (const name of options.keys()) if (!parameters.has(name)) throw refused();
  const endpoints = hosts.split(",").map((host) => {
    const origin = originOf(scheme === "etcds" ? "https" : "http", host);
    if (origin === undefined) throw refused();
    return origin;
  });
  const namespace = options.get("namespace") ?? "engram-lock";
  if (!namespacePattern.test(namespace))
    throw invalid("namespace", namespace, "1 to 64 letters, digits, dots, underscores and hyphens");
  const user = login === undefined ? undefined : userOf(login);
  if (login !== undefined && user === undefined) throw refused();
  const tls = tlsOf(options);
  if (scheme === "etcd" && tls !== undefined) throw refused();
  const bounds = { minMs: 0, maxMs: 600_000 };
  return {
    endpoints,
    namespace,
    maxClockSkewMs: toMilliseconds("maxClockSkew", options.get("maxClockSkew") ?? "1s", bounds),
    maxTxnOps: txnOpsOf(options.get("maxTxnOps") ?? String(txnOps.usual)),
    ...(user && { user }),
    ...(tls && { tls }),
  };
}

function originOf(scheme: "http" | "https", host: string): string | undefined {
  if (!URL.canParse(`${scheme}://${host}`)) return undefined;
  const { hostname, port, pathname } = new URL(`${scheme}://${host}`);
  if (pathname !== "/" || hostname === "") return undefined;
  // The URL drops a port that is the scheme's own.
  const isOwnPort = /:(80|443)$/.test(host);
  return `${scheme}://${hostname}:${port === "" && !isOwnPort ? clientPort : port || host.split(":").at(-1)}`;
}

function txnOpsOf(text: string): number {
  const given = Number(text);
  if (/^\d+$/.test(text) && given >= txnOps.least && given <= txnOps.most) return given;
  throw invalid("maxTxnOps", text, `a whole number from ${txnOps.least} to ${txnOps.most}`);
}

function userOf(login: string): EtcdAddress["user"] {
  const [name = "", password, ...rest] = login.split(":");
  if (name === "" || password === undefined || rest.length > 0) return undefined;
  try {
    return { name: decodeURIComponent(name), password: decodeURIComponent(password) };
  } catch {
    return undefined;
  }
}

function tlsOf(options: URLSearchParams): Tls | undefined {
  const [ca, cert, key] = ["ca", "cert", "key"].map((name) => fileOf(name, options.get(name)));
  if ((cert === undefined) !== (key === undefined))
    throw invalid(
      cert === undefined ? "cert" : "key",
      undefined,
      '"cert" and "key" together, or none of them',
    );
  if (ca === undefined && cert === undefined) return undefined;
  return { ...(ca !== undefined && { ca }), ...(cert !== undefined && key !== undefined && { cert, key }) };
}

function fileOf(name: string, path: string | null): string | undefined {
  if (path === null) return undefined;
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const why = error instanceof Error && "code" in error ? String(error.code) : String(error);
    throw invalid(name, path, `a PEM file that can be read (${why})`);
  }
}
