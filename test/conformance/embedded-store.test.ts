import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEmbeddedStore } from "../../src/store/embedded/embedded-store.js";
import { storeSuite } from "./store-suite.js";

storeSuite("The embedded store", async () => {
  const directory = await mkdtemp(join(tmpdir(), "engram-lock-"));
  const store = await openEmbeddedStore(directory);
  return {
    store,
    again: () => openEmbeddedStore(directory),
    cleanup: async () => {
      await store.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
});
