/** The URL of a store on PostgreSQL: what is for the driver, and what is for us. */
import { invalid } from "../../errors.js";

export interface Address {
  /** For the driver: host, port, database, user, password, TLS, as `pg` reads them. */
  readonly connectionString: string;
  /** For messages: without user and password. */
  readonly shown: string;
  readonly namespace: string;
  readonly schema: string;
  /** At most so many connections, beside the one for hints. */
  readonly connections: number;
}

const namespacePattern = /^[A-Za-z0-9._-]{1,64}$/;
const schemaPattern = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/;
const mostConnections = 100;

/** @throws LockError `invalid`, without the password. */
export function readAddress(url: string): Address {
  const [place = "", query] = url.split(/\?(.*)/s);
  // A user without a host is no URL for others, but usual here: the host is a parameter then, often the folder of a socket.
  if (!URL.canParse(place.replace("@/", "@localhost/"))) {
    const allowed = "a URL such as postgres://user:password@host:5432/database?namespace=team-a";
    throw invalid("store", withoutCredentials(url), allowed);
  }
  const parameters = new URLSearchParams(query);
  const take = (name: string, otherwise: string): string => {
    const given = parameters.getAll(name);
    parameters.delete(name);
    if (given.length > 1) throw invalid(name, given, "one value");
    return given[0] ?? otherwise;
  };
  const namespace = take("namespace", "engram-lock");
  if (!namespacePattern.test(namespace)) {
    throw invalid("namespace", namespace, "1 to 64 letters, digits, dots, hyphens and underscores");
  }
  const schema = take("schema", "engram_lock");
  if (!schemaPattern.test(schema) || schema.startsWith("pg_")) {
    throw invalid(
      "schema",
      schema,
      "1 to 63 letters, digits and underscores, not beginning with a digit or with pg_",
    );
  }
  const connections = Number(take("connections", "4"));
  if (!Number.isInteger(connections) || connections < 1 || connections > mostConnections) {
    throw invalid("connections", connections, `a whole number from 1 to ${mostConnections}`);
  }
  const connectionString = parameters.size > 0 ? `${place}?${parameters.toString()}` : place;
  return { connectionString, shown: withoutCredentials(url), namespace, schema, connections };
}

function withoutCredentials(url: string): string {
  return url.replace(/^([a-z]+:\/\/)[^/?#]*@/, "$1").replace(/[?#].*$/s, "");
}
