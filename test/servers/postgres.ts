/** A PostgreSQL server of the tests' own, from the machine's binaries. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Client } from "pg";
import { findProgram, type Place, startServer, type TestServer } from "./server.js";

/** Where PostgreSQL's own programs are; `undefined` when it is not installed. */
export function postgresPrograms(): string | undefined {
  const debian = "/usr/lib/postgresql";
  const versions = existsSync(debian) ? readdirSync(debian) : [];
  const initdb = findProgram(
    "initdb",
    versions.map((version) => join(debian, version, "bin")),
  );
  return initdb === undefined ? undefined : join(initdb, "..");
}

/** `settings` as in `postgresql.conf`: they win over those of all tests. */
export function startPostgres(programs: string, settings: readonly string[] = []): Promise<TestServer> {
  const user = postgresUser();
  const initialize = async ({ folder }: Place): Promise<void> => {
    const data = join(folder, "data");
    const options = ["--no-sync", "-A", "trust", "-U", "tests", "-E", "UTF8", "--locale=C", "-D", data];
    execFileSync(join(programs, "initdb"), options, { ...user, cwd: folder, stdio: "ignore" });
  };
  return startServer({
    name: "postgres",
    command: join(programs, "postgres"),
    arguments: ({ folder, port }) => {
      const own = [`port=${port}`, "listen_addresses=127.0.0.1", `unix_socket_directories=${folder}`];
      return [
        "-D",
        join(folder, "data"),
        ...[...own, "fsync=off", ...settings].flatMap((one) => ["-c", one]),
      ];
    },
    url: urlOf,
    ask: async (port) => {
      const client = new Client({ connectionString: urlOf(port) });
      await client.connect();
      await client.end();
    },
    prepare: initialize,
    ...(user && { user }),
  });
}

function urlOf(port: number): string {
  return `postgres://tests@127.0.0.1:${port}/postgres`;
}

/** PostgreSQL and what belongs to it refuse to run as root; `undefined` when we are somebody else. */
export function postgresUser(): { uid: number; gid: number } | undefined {
  return process.getuid?.() === 0 ? { uid: idOf("-u"), gid: idOf("-g") } : undefined;
}

function idOf(which: "-u" | "-g"): number {
  return Number(execFileSync("id", [which, "postgres"], { encoding: "utf8" }));
}

/** Runs statements as the tests' administrator, and returns the rows of the last one. */
export async function administer(url: string, statements: string): Promise<readonly unknown[][]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const results = await client.query<unknown[]>({ text: statements, rowMode: "array" });
    return Array.isArray(results) ? results.at(-1).rows : results.rows;
  } finally {
    await client.end();
  }
}

/** Set in the environment: a server that is there already, on which conformance is tested instead. */
export const givenPostgres = process.env["ENGRAM_LOCK_TEST_POSTGRES_URL"];
