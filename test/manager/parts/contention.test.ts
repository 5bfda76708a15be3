/** Managers that want the same path all the time, on a store that is some way off, but nearer than they hold it. */
import { expect, test } from "vitest";
import type { Caller } from "./caller.js";
import { type Workshop, workshop } from "./workshop.js";

const holdMs = 5;

/** A manager whose agent takes the path again as soon as it has given it back. */
class Regular {
  readonly #shop: Workshop;
  readonly #name: string;
  #caller: Caller;

  constructor(shop: Workshop, name: string) {
    this.#shop = shop;
    this.#name = name;
    this.#caller = shop.begin(name, "/a");
  }

  async step(): Promise<void> {
    const { heard, heardAt } = this.#caller;
    if (heard.length === 0 || heardAt + holdMs > this.#shop.clock.monotonic()) return;
    expect(heard).toEqual(["granted"]);
    await this.#shop.release(this.#caller);
    this.#caller = this.#shop.begin(this.#name, "/a");
  }
}

/** Managers whose store takes so long for every call. */
async function farManagers(ms: number): Promise<[Workshop, Workshop, Workshop]> {
  const here = await workshop();
  const there = await workshop({}, { beside: here, name: "there" });
  const elsewhere = await workshop({}, { beside: here, name: "elsewhere" });
  for (const { store } of [here, there, elsewhere]) {
    store.nextCommit({ kind: "slow", ms }, 10_000);
    store.nextRead({ kind: "slow", ms }, 10_000);
  }
  return [here, there, elsewhere];
}

test.each([1, 2, 4])(
  "A newcomer to a path that two others pass to and fro has its turn soon: %d ms.",
  async (ms) => {
    const [here, there, elsewhere] = await farManagers(ms);
    const { clock } = here;
    const regulars = [new Regular(here, "ann"), new Regular(there, "bob")];
    const waits: number[] = [];
    for (let i = 0; i < 5; i++) {
      const cat = elsewhere.begin("cat", "/a");
      const askedAt = clock.monotonic();
      while (cat.heard.length === 0 && clock.monotonic() < askedAt + 1_000) {
        await clock.advance(0.5);
        for (const regular of regulars) await regular.step();
      }
      waits.push(Math.round(cat.heardAt - askedAt));
      await elsewhere.release(cat);
    }
    // The two hold it for a moment each, and hand it over in two calls of the store.
    expect(Math.max(...waits)).toBeLessThan(10 * (holdMs + 2 * ms));
  },
);
