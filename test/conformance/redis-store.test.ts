/** On a real server, bare and behind the fault layer; each case in a namespace of its own. */
import { afterAll, beforeAll, test } from "vitest";
import { systemClock } from "../../src/clock/system-clock.js";
import { openRedisStore } from "../../src/store/redis/open-redis-store.js";
import type { Store } from "../../src/store/store.js";
import { findRedis, givenRedis, needRedis, ownNamespace, redisProgram } from "../servers/redis.js";
import type { TestServer } from "../servers/server.js";
import { SlowStore } from "./slow-store.js";
import { type Opened, storeSuite } from "./store-suite.js";

let server: Pick<TestServer, "url" | "stop"> | undefined;
beforeAll(async () => {
  server = await findRedis();
});
afterAll(() => server?.stop());

/** Each case in a namespace of its own. */
async function open(around: (store: Store) => Store): Promise<Opened> {
  const url = ownNamespace(server?.url ?? "");
  const again = async (): Promise<Store> => around(await openRedisStore(url, { clock: systemClock }));
  const store = await again();
  return { store, again, cleanup: () => store.close() };
}

// oxlint-disable-next-line vitest/no-conditional-tests -- Without a server there is only the reason.
if (redisProgram === undefined && givenRedis === undefined) {
  // oxlint-disable-next-line vitest/expect-expect -- It says why nothing is tested.
  test("The Redis store keeps the store contract", ({ skip }) => {
    needRedis(skip);
  });
} else {
  storeSuite("The Redis store", () => open((store) => store));
  storeSuite("The Redis store, far away,", () => open((store) => new SlowStore(store)));
}
