/** On a real server, bare and behind the fault layer; each case in a namespace of its own. */
import { afterAll, beforeAll, test } from "vitest";
import { systemClock } from "../../src/clock/system-clock.js";
import { openRedisStore } from "../../src/store/redis/redis-store.js";
import type { Store } from "../../src/store/store.js";
import { findRedis, needRedis, ownNamespace, redisProgram } from "../servers/redis.js";
import type { TestServer } from "../servers/server.js";
import { SlowStore } from "./slow-store.js";
import { storeSuite } from "./store-suite.js";

if (redisProgram === undefined) {
  test("The Redis store keeps the store contract", ({ skip }) => {
    needRedis(skip);
  });
} else suites(redisProgram);

function suites(program: string): void {
  let server: Pick<TestServer, "url" | "stop"> | undefined;
  beforeAll(async () => {
    server = await findRedis(program);
  });
  afterAll(() => server?.stop());

  const suite = (name: string, wrap: (store: Store) => Store): void =>
    storeSuite(name, async () => {
      const url = ownNamespace(server?.url ?? "");
      const open = async (): Promise<Store> => wrap(await openRedisStore(url, { clock: systemClock }));
      const store = await open();
      return { store, again: open, cleanup: () => store.close() };
    });
  suite("The Redis store", (store) => store);
  suite("The Redis store, far away,", (store) => new SlowStore(store));
}
