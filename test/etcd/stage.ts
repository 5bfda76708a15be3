/** The stage of these tests: stores that go with their test, and a clock on which time limits are over soon. */
import { onTestFinished } from "vitest";
import type { Clock } from "../../src/clock/clock.js";
import { systemClock } from "../../src/clock/system-clock.js";
import { openEtcdStore } from "../../src/store/etcd/etcd-store.js";
import type { Store } from "../../src/store/store.js";
import { TcpProxy } from "../servers/tcp-proxy.js";

/** Timers run twenty times as fast: the time limit of a request is 250 ms instead of 5 s. */
export const hasty: Clock = {
  ...systemClock,
  after: (delayMs, run, options) => systemClock.after(delayMs / 20, run, options),
};

export async function openFor(url: string, clock: Clock = systemClock): Promise<Store> {
  const store = await openEtcdStore(url, { clock });
  onTestFinished(() => store.close());
  return store;
}

export async function proxyTo(port: number): Promise<TcpProxy> {
  const proxy = await TcpProxy.to(port);
  onTestFinished(() => proxy.close());
  return proxy;
}

/** What a call was rejected with. */
export async function failureOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    (value) => {
      throw new Error(`It did not fail, but answered ${JSON.stringify(value)}.`);
    },
    (error: unknown) => error,
  );
}

/** Asks again until it fails, and answers with what. */
export async function untilItFails(call: () => Promise<unknown>): Promise<unknown> {
  for (;;) {
    try {
      await call();
    } catch (error) {
      return error;
    }
  }
}

/** Asks again until it does not fail. */
export async function untilItWorks<Reply>(call: () => Promise<Reply>, withinMs: number): Promise<Reply> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

export async function until(isSo: () => boolean | Promise<boolean>, withinMs = 5_000): Promise<void> {
  await untilItWorks(async () => {
    if (!(await isSo())) throw new Error("It is not so in time.");
  }, withinMs);
}
