/** Every case in a namespace of its own, on one server. */
import { afterAll, beforeAll } from "vitest";
import { openEtcdStore } from "../../src/store/etcd/etcd-store.js";
import type { Store } from "../../src/store/store.js";
import { fresh, needEtcd, startSharedEtcd } from "../servers/etcd.js";
import { SlowStore } from "./slow-store.js";
import { type Open, storeSuite } from "./store-suite.js";

let server: Awaited<ReturnType<typeof startSharedEtcd>>;
beforeAll(async () => {
  server = await startSharedEtcd();
}, 30_000);
afterAll(() => server?.stop());

function opener(around: (store: Store) => Store): Open {
  return async (skip) => {
    needEtcd(skip);
    const url = fresh(server!.url);
    const open = async (): Promise<Store> => around(await openEtcdStore(url));
    const store = await open();
    return { store, again: open, cleanup: () => store.close() };
  };
}

storeSuite(
  "The etcd store",
  opener((store) => store),
);
storeSuite(
  "The etcd store, far away,",
  opener((store) => new SlowStore(store)),
);
