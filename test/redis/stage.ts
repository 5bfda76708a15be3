/** What the tests of the Redis store need: servers and stores that go with the test. */
import { onTestFinished, type TestContext } from "vitest";
import { systemClock } from "../../src/clock/system-clock.js";
import { openRedisStore, type RedisStoreOptions } from "../../src/store/redis/open-redis-store.js";
import type { Entry, Store } from "../../src/store/store.js";
import { needRedis, startRedis } from "../servers/redis.js";
import type { TestServer } from "../servers/server.js";
import { TcpProxy } from "../servers/tcp-proxy.js";

/** So that tests need not wait the usual five seconds. */
export const shortLimits = { requestMs: 400, connectMs: 400 };

export async function redis(
  skip: TestContext["skip"],
  settings: readonly string[] = [],
): Promise<TestServer> {
  const server = await startRedis(needRedis(skip), settings);
  onTestFinished(() => server.stop());
  return server;
}

export async function proxyTo(port: number): Promise<TcpProxy> {
  const proxy = await TcpProxy.to(port);
  onTestFinished(() => proxy.close());
  return proxy;
}

export async function open(url: string, limits: RedisStoreOptions["limits"] = shortLimits): Promise<Store> {
  const store = await openRedisStore(url, { clock: systemClock, limits });
  onTestFinished(() => store.close());
  return store;
}

/** What is there, once the store can be read (again). */
export async function entriesOnceReadable(store: Store): Promise<readonly Entry[]> {
  const deadline = performance.now() + 5_000;
  for (;;) {
    try {
      const { ranges } = await store.read({ ranges: [{ prefix: "" }] });
      return ranges[0] ?? [];
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

export async function keysOnceReadable(store: Store): Promise<string[]> {
  return (await entriesOnceReadable(store)).map(({ key }) => key);
}
