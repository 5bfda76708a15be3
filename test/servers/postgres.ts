/** A PostgreSQL server of the tests' own, from the machine's binaries. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
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
  // A link may lead to a folder that has the others as well.
  return initdb === undefined ? undefined : dirname(realpathSync(initdb));
}

/** `settings` as in `postgresql.conf`: they win over those of all tests. */
export function startPostgres(programs: string, settings: readonly string[] = []): Promise<TestServer> {
  return start(programs, settings, (data) => {
    const options = ["--no-sync", "-A", "trust", "-U", "tests", "-E", "UTF8", "--locale=C", "-D", data];
    return [join(programs, "initdb"), ...options];
  });
}

/** One that follows another, and can be promoted. */
export function startStandby(programs: string, of: TestServer): Promise<TestServer> {
  return start(programs, [], (data) => {
    const from = ["-h", "127.0.0.1", "-p", `${of.port}`, "-U", "tests", "--no-sync", "-c", "fast"];
    return [join(programs, "pg_basebackup"), ...from, "-R", "-D", data];
  });
}

/** `initialize`: the command that fills the data folder. */
function start(
  programs: string,
  settings: readonly string[],
  initialize: (data: string) => readonly string[],
): Promise<TestServer> {
  const user = postgresUser();
  const dataIn = ({ folder }: Place): string => join(folder, "data");
  return startServer({
    name: "postgres",
    command: join(programs, "postgres"),
    arguments: (place) => {
      const own = [
        `port=${place.port}`,
        "listen_addresses=127.0.0.1",
        `unix_socket_directories=${place.folder}`,
      ];
      return ["-D", dataIn(place), ...[...own, "fsync=off", ...settings].flatMap((one) => ["-c", one])];
    },
    url: urlOf,
    ask: async (port) => {
      const client = new Client({ connectionString: urlOf(port) });
      await client.connect();
      await client.end();
    },
    prepare: async (place) => {
      const [command = "", ...options] = initialize(dataIn(place));
      execFileSync(command, options, { ...user, cwd: place.folder, stdio: "ignore" });
    },
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
