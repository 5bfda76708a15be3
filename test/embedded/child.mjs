// A process of its own with the embedded store open. Arguments: the store's module, the folder, what to do, and for how many.
// It prints one line for each thing that happened, and does the next when a line comes in where that is said.

import process from "node:process";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

/** @typedef {import("../../src/store/store.js").Store} Store */

const [module = "", directory = "", work = "", count = ""] = process.argv.slice(2);
const { openEmbeddedStore } = await import(pathToFileURL(module).href);
const input = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
/** @type {(key: string, value: unknown, announce?: string[]) => any} */
const put = (key, value, announce = []) => ({ expect: [], put: [{ key, value }], remove: [], announce });

/** @type {Record<string, (store: Store) => Promise<void>>} */
const works = {
  /** Prints what is in the store. */
  async show(store) {
    const { ranges, revision } = await store.read({ ranges: [{ prefix: "" }] });
    console.log(JSON.stringify({ keys: ranges[0]?.map((entry) => entry.key), revision }));
  },

  /** Adds to one counter by compare-and-swap, and prints the count and the revision of each addition. */
  async count(store) {
    for (let done = 0; done < Number(count); ) {
      const [entry] = (await store.read({ keys: ["count"] })).entries;
      const next = Number(entry?.value ?? 0) + 1;
      const expected = { key: "count", revision: entry?.revision ?? 0 };
      const { outcomes } = await store.commit([{ ...put("count", next), expect: [expected] }]);
      if (!outcomes[0]?.applied) continue;
      console.log(`${next} ${outcomes[0].revision}`);
      done += 1;
    }
  },

  /** Opens the store's two files and closes them again, so many times, as fast as that goes. */
  async knock() {
    const [{ Log }, { Turnstile }, { openPatiently }, { systemClock }] = await Promise.all(
      ["log.js", "turnstile.js", "lmdb-file.js", "../../clock/system-clock.js"].map(
        (name) => import(new URL(name, pathToFileURL(module)).href),
      ),
    );
    for (let done = 0; done < Number(count); done += 1) {
      const turnstile = await openPatiently(systemClock, () => new Turnstile(`${directory}/turnstile.mdb`));
      const log = await openPatiently(systemClock, () => new Log(`${directory}/locks.mdb`, turnstile));
      await log.close();
    }
  },

  /** Commits for ever, three keys at a time, and prints each number once it was acknowledged. */
  async commit(store) {
    const name = `${process.pid}`;
    for (let number = 0; ; number += 1) {
      const keys = ["a", "b", "c"].map((part) => `${name}/${number}/${part}`);
      const old = ["a", "b", "c"].map((part) => `${name}/${number - 50}/${part}`);
      await store.commit([
        { expect: [], put: keys.map((key) => ({ key, value: number })), remove: old, announce: [] },
      ]);
      process.stdout.write(`${name} ${number}\n`);
    }
  },

  /** Reads at first, and again for each line that comes in. */
  async look(store) {
    for (;;) {
      const { entries, ranges } = await store.read({ keys: ["last"], ranges: [{ prefix: "" }] });
      console.log(JSON.stringify({ last: entries[0]?.value, keys: ranges[0]?.length }));
      if ((await input.next()).done) return;
    }
  },

  /** Does what each line that comes in says: "put KEY", "keys", "reopen". Prints what came of it. */
  async obey(first) {
    let store = first;
    console.log(process.pid);
    for await (const line of input) {
      const [order, key = ""] = line.split(" ");
      try {
        if (order === "put") console.log(JSON.stringify((await store.commit([put(key, 1)])).outcomes[0]));
        else if (order === "keys") {
          const { ranges } = await store.read({ ranges: [{ prefix: "" }] });
          console.log(JSON.stringify(ranges[0]?.map((entry) => entry.key)));
        } else {
          await store.close();
          store = await openEmbeddedStore(directory);
          console.log(JSON.stringify("opened"));
        }
      } catch (thrown) {
        console.log(JSON.stringify(inWords(thrown)));
      }
    }
    await store.close();
  },

  /** Prints the paths it is hinted at, and how long ago they were announced; ends with its input. */
  async listen(store) {
    await store.subscribe((paths) => {
      for (const path of paths) console.log(`${path} ${Date.now() - Number(path.split("/").at(-1))}`);
    });
    console.log("listening");
    await input.next();
  },

  /** Stays with an open store and a subscription, and with nothing else to do. */
  async idle(store) {
    await store.subscribe(() => {});
    await store.commit([put("a", 1, ["/a"])]);
    console.log("idle");
    process.stdin.destroy();
  },
};

try {
  const store = await openEmbeddedStore(directory);
  if (work === "knock") await store.close();
  await works[work]?.(store);
  if (work !== "idle" && work !== "knock") await store.close();
} catch (thrown) {
  console.log(JSON.stringify(inWords(thrown)));
  process.exitCode = 1;
}
if (work !== "idle") process.stdin.destroy();

/** @param {unknown} thrown */
function inWords(thrown) {
  const error = /** @type {import("../../src/store/store.js").StoreError} */ (thrown);
  return { error: error.name, message: error.message, outcome: error.outcome };
}
