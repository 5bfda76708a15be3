/** PgBouncer before a PostgreSQL server: a pooler that hands each transaction to whichever session is free. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Client } from "pg";
import { postgresUser } from "./postgres.js";
import { findProgram, type Place, startServer, type TestServer } from "./server.js";

export const pgbouncerProgram = findProgram("pgbouncer", ["/usr/sbin"]);

/** So few sessions that clients share them all the time. */
const sessions = 2;

export function startPgbouncer(command: string, behind: TestServer): Promise<TestServer> {
  const settingsIn = ({ folder }: Place): string => join(folder, "pgbouncer.ini");
  const url = (port: number): string => `postgres://tests@127.0.0.1:${port}/postgres`;
  const user = postgresUser();
  return startServer({
    name: "pgbouncer",
    command,
    arguments: (place) => [settingsIn(place)],
    url,
    ask: async (port) => {
      const client = new Client({ connectionString: url(port) });
      await client.connect();
      await client.query("select");
      await client.end();
    },
    prepare: (place) =>
      writeFile(
        settingsIn(place),
        `[databases]
postgres = host=127.0.0.1 port=${behind.port} user=tests
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${place.port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = ${sessions}
`,
      ),
    ...(user && { user }),
  });
}
