/**
 * What must hold on every store whose server is elsewhere, with real managers and real processes: networkSuite(name, startServer) is called by
 * test/network/<backend>.test.ts.
 */
import { randomUUID } from "node:crypto";
import { afterAll, describe, onTestFinished, type TestContext } from "vitest";
import { type CreateLockManagerConfig, createLockManager } from "../../src/create-lock-manager.js";
import type { LockManager } from "../../src/lock-manager.js";
import { openStore } from "../../src/open-store.js";
import type { Store } from "../../src/store/store.js";
import type { TestServer } from "../servers/server.js";
import { TcpProxy } from "../servers/tcp-proxy.js";
import { cutCases } from "./cases/cuts.js";
import { listingCases } from "./cases/listing.js";
import { outageCases } from "./cases/outages.js";
import { processCases } from "./cases/processes.js";

/** A lock space of its own for one test. */
export interface Place {
  readonly server: TestServer;
  /** Straight to the server. */
  readonly url: string;
  /** Through a proxy of its own. */
  proxied(): Promise<{ readonly proxy: TcpProxy; readonly url: string }>;
}

export type FindPlace = (skip: TestContext["skip"]) => Promise<Place>;

/** `startServer` skips the test when there is no server to start. What it has acknowledged must survive `kill`. */
export function networkSuite(
  name: string,
  startServer: (skip: TestContext["skip"]) => Promise<TestServer>,
  urlThrough = (server: TestServer, port: number): string =>
    server.url.replace(`:${server.port}`, `:${port}`),
): void {
  let starting: Promise<TestServer> | undefined;
  afterAll(async () => {
    await (await starting)?.stop();
  });

  const find: FindPlace = async (skip) => {
    starting ??= startServer(skip);
    const server = await starting;
    const namespace = randomUUID();
    return {
      server,
      url: inNamespace(server.url, namespace),
      async proxied() {
        const proxy = await TcpProxy.to(server.port);
        onTestFinished(() => proxy.close());
        return { proxy, url: inNamespace(urlThrough(server, proxy.port), namespace) };
      },
    };
  };

  describe(`Managers on ${name}`, () => {
    processCases(find);
    outageCases(find);
    cutCases(find);
    listingCases(find);
  });
}

function inNamespace(url: string, namespace: string): string {
  return `${url}${url.includes("?") ? "&" : "?"}namespace=${namespace}`;
}

/** Closed with the test. */
export async function managerOn(
  store: Store | string,
  config: CreateLockManagerConfig = {},
): Promise<LockManager> {
  const locks = await createLockManager(config, store);
  onTestFinished(() => locks.close());
  return locks;
}

/** Closed with the test. */
export async function storeAt(url: string): Promise<Store> {
  const store = await openStore(url);
  onTestFinished(() => store.close());
  return store;
}
