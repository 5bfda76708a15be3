/** How a store is opened: who may, what is made, and what is refused. */
import { expect } from "vitest";
import { openPostgresStore } from "../../src/store/postgres/postgres-store.js";
import type { Store } from "../../src/store/store.js";
import { apply, entryAt, put } from "../conformance/changes.js";
import { administer } from "../servers/postgres.js";
import { onPostgres, openStore, urlWith } from "./stage.js";

const it = onPostgres();
const forGood = { name: "StoreError", outcome: "none", retryable: false };

/** A database with nothing in it, and the URL of a role that may only what it is given there. */
async function freshDatabase(url: string, name: string): Promise<{ admin: string; plain: string }> {
  await administer(url, `create role ${name} login`);
  await administer(url, `create database ${name} template template0 encoding 'UTF8'`);
  const admin = new URL(url);
  admin.pathname = `/${name}`;
  const plain = new URL(admin);
  plain.username = name;
  return { admin: admin.href, plain: plain.href };
}

async function works(store: Store): Promise<void> {
  const revision = await apply(store, put("a", 1));
  expect(await entryAt(store, "a")).toEqual({ key: "a", revision, value: 1 });
}

it("twenty processes may open a new database at once", async (server) => {
  const { admin } = await freshDatabase(server.url, "crowded");
  const stores = await Promise.all(
    Array.from({ length: 20 }, () => openStore(urlWith(admin, { namespace: "one" }))),
  );
  await apply(stores[0]!, put("a", 1));
  for (const store of stores) expect(await entryAt(store, "a")).toMatchObject({ value: 1 });
  expect(await administer(admin, "select name from engram_lock.space")).toEqual([["one"]]);
});

it("a role that may create a schema needs no more", async (server) => {
  const { admin, plain } = await freshDatabase(server.url, "creator");
  await administer(admin, "grant create on database creator to creator");
  await works(await openStore(urlWith(plain)));
});

it("a role that may not is refused in words; given an empty schema, it needs no more", async (server) => {
  const { admin, plain } = await freshDatabase(server.url, "tenant");
  const refusal = openStore(urlWith(plain));
  await expect(refusal).rejects.toMatchObject(forGood);
  await expect(refusal).rejects.toThrow("permission denied for database tenant");
  await administer(admin, "create schema engram_lock authorization tenant");
  await works(await openStore(urlWith(plain)));
});

it("a role that may only use what another one made needs no more", async (server) => {
  const { admin, plain } = await freshDatabase(server.url, "guest");
  await works(await openStore(urlWith(admin)));
  await administer(
    admin,
    `grant usage on schema engram_lock to guest;
    grant select, insert, update, delete on all tables in schema engram_lock to guest;`,
  );
  await works(await openStore(urlWith(plain)));
});

it("a schema of a newer version is refused, naming both", async (server) => {
  const url = urlWith(server.url, { schema: "newer" });
  await openStore(url);
  await administer(server.url, "update newer.version set version = 2");
  const refusal = openStore(url);
  await expect(refusal).rejects.toMatchObject(forGood);
  await expect(refusal).rejects.toThrow(/schema "newer" is version 2, and this engram-lock knows version 1;/);
});

it("a database that is not in UTF-8 is refused", async (server) => {
  await administer(server.url, "create database latin template template0 encoding 'LATIN1'");
  const refusal = openStore(urlWith(server.url.replace("/postgres", "/latin")));
  await expect(refusal).rejects.toMatchObject(forGood);
  await expect(refusal).rejects.toThrow(/the encoding of the database is LATIN1, and must be UTF8/);
});

it("a database or a role that is not there is refused for good, a server that is not there is not", async (server) => {
  await expect(openStore(urlWith(server.url.replace("/postgres", "/nowhere")))).rejects.toMatchObject(
    forGood,
  );
  await expect(openStore(urlWith(server.url.replace("tests@", "nobody@")))).rejects.toMatchObject(forGood);
  await expect(openPostgresStore("postgres://tests@127.0.0.1:1/postgres")).rejects.toMatchObject({
    ...forGood,
    retryable: true,
  });
});

it("a schema that is taken away while it is in use is an error for good, not an empty store", async (server) => {
  const store = await openStore(urlWith(server.url, { schema: "gone" }));
  await works(store);
  await administer(server.url, "delete from gone.space");
  await expect(store.read({ keys: ["a"] })).rejects.toMatchObject(forGood);
  await expect(store.commit([put("a")])).rejects.toMatchObject(forGood);
  await administer(server.url, "drop schema gone cascade");
  await expect(store.read({ keys: ["a"] })).rejects.toMatchObject(forGood);
  await expect(store.commit([put("a")])).rejects.toMatchObject(forGood);
});

it("a server that does not flush is not called durable", async (server) => {
  const store = await openStore(urlWith(server.url));
  expect(store.traits).toMatchObject({
    name: "postgres",
    sharedBy: "network",
    promise: "correctness",
    durable: false,
  });
});

it("closing leaves no connection behind, also when requests and hints are under way", async (server) => {
  const count = async (): Promise<unknown> =>
    (
      await administer(
        server.url,
        "select count(*)::int from pg_stat_activity where application_name = 'to-be-closed'",
      )
    )[0]?.[0];
  const store = await openStore(urlWith(server.url, { application_name: "to-be-closed" }));
  await store.subscribe(() => undefined);
  const requests = Array.from({ length: 20 }, (_, n) => store.commit([put(`key ${n}`)]));
  await Promise.all(requests.slice(0, 5));
  expect(await count()).toBe(5);
  const settled = Promise.allSettled(requests);
  await store.close();
  for (const result of await settled) {
    if (result.status === "rejected") expect(result.reason).toMatchObject({ name: "StoreError" });
  }
  await expect.poll(count).toBe(0);
});
