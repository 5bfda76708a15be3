import { afterAll, beforeAll, test } from "vitest";
import { openPostgresStore } from "../../src/store/postgres/postgres-store.js";
import type { Store } from "../../src/store/store.js";
import { givenPostgres, postgresPrograms, startPostgres } from "../servers/postgres.js";
import { need, type TestServer } from "../servers/server.js";
import { SlowStore } from "./slow-store.js";
import { type Opened, storeSuite } from "./store-suite.js";

const programs = postgresPrograms();

let server: TestServer | undefined;
beforeAll(async () => {
  if (givenPostgres === undefined && programs !== undefined) server = await startPostgres(programs);
}, 30_000);
afterAll(() => server?.stop());

let cases = 0;

/** Each case in a namespace of its own. */
async function open(around: (store: Store) => Store): Promise<Opened> {
  const url = new URL(givenPostgres ?? server?.url ?? "");
  url.searchParams.set("namespace", `case-${process.pid}-${++cases}`);
  const again = async (): Promise<Store> => around(await openPostgresStore(url.href));
  const store = await again();
  return { store, again, cleanup: () => store.close() };
}

// oxlint-disable-next-line vitest/no-conditional-tests -- Without a server there is only the reason.
if (programs === undefined && givenPostgres === undefined) {
  // oxlint-disable-next-line vitest/expect-expect -- It says why nothing is tested.
  test("The store on PostgreSQL keeps the store contract", ({ skip }) => {
    need(programs, "postgresql", skip);
  });
} else {
  storeSuite("The store on PostgreSQL", () => open((store) => store));
  storeSuite("The store on PostgreSQL, far away,", () => open((store) => new SlowStore(store)));
}
