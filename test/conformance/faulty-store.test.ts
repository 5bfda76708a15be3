/** The fault layer with faults that change nothing: what it wraps must still keep the contract, so that a simulation tests what is real. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEmbeddedStore } from "../../src/store/embedded/embedded-store.js";
import { openMemoryStore } from "../../src/store/memory/memory-store.js";
import type { Store } from "../../src/store/store.js";
import { SlowStore } from "./slow-store.js";
import { storeSuite } from "./store-suite.js";

storeSuite("The memory store, far away,", async () => {
  const store = new SlowStore(openMemoryStore());
  return { store, cleanup: () => store.close() };
});

storeSuite("The embedded store, far away,", async () => {
  const directory = await mkdtemp(join(tmpdir(), "engram-lock-"));
  const open = async (): Promise<Store> => new SlowStore(await openEmbeddedStore(directory));
  const store = await open();
  return {
    store,
    again: open,
    cleanup: async () => {
      await store.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
});
