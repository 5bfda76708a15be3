/** What is read from the URL of a store on PostgreSQL, and what is not shown of it. */
import { expect, test } from "vitest";
import { LockError } from "../../src/errors.js";
import { openStore } from "../../src/open-store.js";
import { readAddress } from "../../src/store/postgres/address.js";
import { keySpan } from "../../src/store/postgres/key-span.js";

test("Our parameters are taken out of the URL, and the others are left to the driver.", () => {
  const url =
    "postgres://ann:secret@db.example:5433/app?sslmode=verify-full&namespace=team-a&schema=locks&connections=2";
  expect(readAddress(url)).toEqual({
    connectionString: "postgres://ann:secret@db.example:5433/app?sslmode=verify-full",
    shown: "postgres://db.example:5433/app",
    namespace: "team-a",
    schema: "locks",
    connections: 2,
  });
});

test("Nothing needs to be given but the server.", () => {
  expect(readAddress("postgresql://ann@/app?host=/run/postgresql")).toEqual({
    connectionString: "postgresql://ann@/app?host=%2Frun%2Fpostgresql",
    shown: "postgresql:///app",
    namespace: "engram-lock",
    schema: "engram_lock",
    connections: 4,
  });
});

test.each([
  ["namespace=", "namespace"],
  ["namespace=a%20b", "namespace"],
  ["namespace=a&namespace=b", "namespace"],
  [`namespace=${"n".repeat(65)}`, "namespace"],
  ["schema=1st", "schema"],
  ["schema=pg_locks", "schema"],
  ['schema=a"b', "schema"],
  ["connections=0", "connections"],
  ["connections=many", "connections"],
  ["connections=1.5", "connections"],
])("A bad parameter is refused and named: %s", async (query, field) => {
  await expect(openStore(`postgres://127.0.0.1:1/x?${query}`)).rejects.toMatchObject({
    code: "invalid",
    facts: { field },
  });
});

test("A URL that cannot be read is refused without showing its password.", async () => {
  const refusal: unknown = await openStore("postgres://ann:secret@db.example:port/app").catch(
    (error: unknown) => error,
  );
  expect(refusal).toBeInstanceOf(LockError);
  expect(refusal).toMatchObject({ code: "invalid", facts: { field: "store" } });
  expect(JSON.stringify(refusal) + String(refusal)).not.toContain("secret");
});

test("A range begins at its first key, and ends where the next prefix begins.", () => {
  expect(keySpan({ prefix: "lock/" })).toEqual({ first: "lock/", isPast: false, pastLast: "lock0" });
  expect(keySpan({ prefix: "a", after: "a/b" })).toEqual({ first: "a/b", isPast: true, pastLast: "b" });
  expect(keySpan({ prefix: "b", after: "a" })).toEqual({ first: "b", isPast: false, pastLast: "c" });
  expect(keySpan({ prefix: "" })).toEqual({ first: "", isPast: false, pastLast: undefined });
  expect(keySpan({ prefix: "\ud7ff" }).pastLast).toBe("\ue000");
  expect(keySpan({ prefix: "a\u{10ffff}" }).pastLast).toBe("b");
  expect(keySpan({ prefix: "\u{10ffff}" }).pastLast).toBeUndefined();
  expect(keySpan({ prefix: "\uffff" }).pastLast).toBe("\u{10000}");
});
