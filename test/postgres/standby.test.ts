/** A standby is not asked about locks, and takes over once it was promoted. */
import { expect, onTestFinished } from "vitest";
import { apply, attempt, entryAt, put } from "../conformance/changes.js";
import { administer, postgresPrograms, startStandby } from "../servers/postgres.js";
import { need } from "../servers/server.js";
import { onPostgres, openStore, until, urlWith } from "./stage.js";

const it = onPostgres();

it("a standby neither answers nor refuses, until it is promoted", async (server) => {
  const parameters = { namespace: "followed" };
  const store = await openStore(urlWith(server.url, parameters));
  const before = await apply(store, put("a", 1));
  const programs = need(postgresPrograms(), "postgresql", () => expect.unreachable());
  const standby = await startStandby(programs, server);
  onTestFinished(() => standby.stop());
  const there = await openStore(urlWith(standby.url, parameters));
  const refused = { outcome: "none", retryable: true };
  await expect(there.read({ keys: ["a"] })).rejects.toMatchObject(refused);
  await expect(there.commit([put("a", 2)])).rejects.toMatchObject(refused);
  await expect(attempt(there, { expect: [{ key: "a", revision: 0 }] })).rejects.toMatchObject(refused);

  const after = await apply(store, put("a", 3));
  await until(async () => {
    const rows = await administer(standby.url, "select from engram_lock.entry where value = '3'");
    return rows.length === 1;
  });
  await server.kill();
  await administer(standby.url, "select pg_promote()");
  expect(await entryAt(there, "a")).toEqual({ key: "a", revision: after, value: 3 });
  expect(after).toBeGreaterThan(before);
  expect(await apply(there, put("a", 4))).toBeGreaterThan(after);
});
