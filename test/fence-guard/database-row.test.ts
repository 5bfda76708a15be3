/** The statement of `docs/guarantees.md`, on a real PostgreSQL. */
import { Client } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createLockManager } from "../../src/create-lock-manager.js";
import { codeBlocks, readDocument } from "../docs/documents.js";
import { postgresPrograms, startPostgres } from "../servers/postgres.js";
import { need, type TestServer } from "../servers/server.js";

const programs = postgresPrograms();

let server: TestServer | undefined;
beforeAll(async () => {
  if (programs !== undefined) server = await startPostgres(programs);
}, 30_000);
afterAll(() => server?.stop());

test("A row takes no update under a token smaller than the one it has.", async ({ skip }) => {
  const { url } = need(server, "postgresql", skip);
  const [statement] = codeBlocks(readDocument("docs/guarantees.md")).filter(
    ({ language }) => language === "sql",
  );
  const database = new Client({ connectionString: url });
  await database.connect();
  await database.query(
    "create table deployments (name text primary key, version text, fence bigint not null)",
  );
  await database.query("insert into deployments values ('prod', 'none', 0)");
  const update = async (version: string, fencingToken: number): Promise<number | null> =>
    (await database.query(statement!.code, [version, fencingToken, "prod"])).rowCount;

  const locks = await createLockManager({}, "memory:");
  const early = await locks.acquireLock("/deploy/prod", "ann");
  expect(await update("1.8.0", early.fencingToken)).toBe(1);
  expect(await update("1.8.1", early.fencingToken)).toBe(1);
  await locks.forceRelease("/deploy/prod", { reason: "ann does not answer" });
  const late = await locks.acquireLock("/deploy/prod", "bob");
  expect(await update("1.9.0", late.fencingToken)).toBe(1);
  expect(await update("1.8.2", early.fencingToken)).toBe(0);
  const { rows } = await database.query("select version, fence from deployments");
  expect(rows).toEqual([{ version: "1.9.0", fence: String(late.fencingToken) }]);
  await locks.close();
  await database.end();
});
