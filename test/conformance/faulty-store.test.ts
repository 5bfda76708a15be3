/** The fault layer with faults that change nothing: what it wraps must still keep the contract, so that a simulation tests what is real. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/clock/system-clock.js";
import { openEmbeddedStore } from "../../src/store/embedded/embedded-store.js";
import { openMemoryStore } from "../../src/store/memory/memory-store.js";
import type { Store } from "../../src/store/store.js";
import { FaultyStore } from "../support/faulty-store.js";
import { seededRandom } from "../support/seeded-random.js";
import { storeSuite } from "./store-suite.js";

/** Every call takes a while, and every fifth hint comes twice. */
class SlowStore extends FaultyStore {
  private readonly slowed: Store;

  constructor(inner: Store) {
    super(inner, { clock: systemClock, random: seededRandom(1) });
    this.slowed = inner;
    this.chance({ latencyMs: 2, hintRepeated: 0.2 });
  }

  override close(): Promise<void> {
    return this.slowed.close();
  }
}

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
