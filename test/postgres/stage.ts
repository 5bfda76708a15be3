/** A PostgreSQL server for the tests of one file, and stores on it that are closed with their test. */
import { afterAll, beforeAll, onTestFinished, test } from "vitest";
import type { Clock } from "../../src/clock/clock.js";
import { systemClock } from "../../src/clock/system-clock.js";
import { openPostgresStore } from "../../src/store/postgres/postgres-store.js";
import type { Store } from "../../src/store/store.js";
import { postgresPrograms, startPostgres } from "../servers/postgres.js";
import { need, type TestServer } from "../servers/server.js";
import { TcpProxy } from "../servers/tcp-proxy.js";

type Body = (server: TestServer) => Promise<void>;

/** Starts a server before the tests, and ends it after them. `settings` as in `postgresql.conf`. */
export function onPostgres(settings: readonly string[] = []): (name: string, body: Body) => void {
  const programs = postgresPrograms();
  let server: TestServer | undefined;
  beforeAll(async () => {
    if (programs !== undefined) server = await startPostgres(programs, settings);
  });
  afterAll(() => server?.stop());
  return (name, body) => {
    // oxlint-disable-next-line vitest/expect-expect, vitest/valid-title -- Both are the body's own.
    test(name, { timeout: 60_000 }, ({ skip }) => body(need(server, "postgresql", skip)));
  };
}

let namespaces = 0;

/** The URL with parameters of ours; a namespace that nobody else has, unless one is named. */
export function urlWith(url: string, parameters: Readonly<Record<string, string>> = {}): string {
  const full = new URL(url);
  const all = { namespace: `test-${++namespaces}`, ...parameters };
  for (const [name, value] of Object.entries(all)) full.searchParams.set(name, value);
  return full.href;
}

export async function openStore(url: string, clock: Clock = systemClock): Promise<Store> {
  const store = await openPostgresStore(url, { clock });
  onTestFinished(() => store.close());
  return store;
}

/** A proxy before the server, and the URL that leads through it. */
export async function behindProxy(server: TestServer): Promise<{ proxy: TcpProxy; url: string }> {
  const proxy = await TcpProxy.to(server.port);
  onTestFinished(() => proxy.close());
  const url = new URL(server.url);
  url.port = `${proxy.port}`;
  return { proxy, url: url.href };
}

/** Time limits come ten times as soon, so that tests of what hangs are quick. */
export const hurriedClock: Clock = {
  ...systemClock,
  after: (delayMs, run, options) => systemClock.after(delayMs / 10, run, options),
};

export async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error("It has not come true within 20 s.");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
