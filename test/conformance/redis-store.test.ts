/** On a real server, bare and behind the fault layer; each case in a namespace of its own. */
import { afterAll, beforeAll } from "vitest";
import { systemClock } from "../../src/clock/system-clock.js";
import { openRedisStore } from "../../src/store/redis/redis-store.js";
import { redisProgram, startRedis } from "../servers/redis.js";
import type { TestServer } from "../servers/server.js";
import { storeSuite } from "./store-suite.js";

const program = redisProgram();
let server: TestServer | undefined;
let cases = 0;
beforeAll(async () => {
  if (program !== undefined) server = await startRedis(program);
});
afterAll(() => server?.stop());

storeSuite("The Redis store", async () => {
  const url = `${server!.url}?namespace=case-${++cases}`;
  const open = () => openRedisStore(url, { clock: systemClock });
  const store = await open();
  return { store, again: open, cleanup: () => store.close() };
});
