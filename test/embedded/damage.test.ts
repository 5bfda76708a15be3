import { open, readFile, rename, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { open as openLmdb } from "lmdb";
import { beforeAll, describe, expect, test } from "vitest";
import { faultOf } from "../../src/store/embedded/data-file.js";
import { openEmbeddedStore } from "../../src/store/embedded/embedded-store.js";
import { apply, change, failure, keysIn, put } from "../conformance/changes.js";
import { compileStore, runChild, scratch, startChild } from "./processes.js";

beforeAll(compileStore);

const keyCount = 400;

describe("An embedded store whose files are not as it left them", () => {
  test("is refused when the database is empty, and stays as it is", async () => {
    const directory = await filled();
    await truncate(join(directory, "locks.mdb"), 0);
    await expect(openEmbeddedStore(directory)).rejects.toThrow(/locks\.mdb is damaged: it is empty/);
    expect((await stat(join(directory, "locks.mdb"))).size).toBe(0);
  });

  test("is refused when the database is missing", async () => {
    const directory = await filled();
    await rm(join(directory, "locks.mdb"));
    await expect(openEmbeddedStore(directory)).rejects.toThrow(
      /locks\.mdb is missing\. Restore it, or delete/,
    );
  });

  test("is refused when the database is full of zeros", async () => {
    const directory = await filled();
    const { size } = await stat(join(directory, "locks.mdb"));
    await writeFile(join(directory, "locks.mdb"), Buffer.alloc(size));
    await expect(openEmbeddedStore(directory)).rejects.toThrow(/is damaged/);
  });

  test("is refused when the database is that of another store", async () => {
    const [directory, other] = [await filled(), await filled()];
    await rename(join(other, "locks.mdb"), join(directory, "locks.mdb"));
    await expect(openEmbeddedStore(directory)).rejects.toThrow(/belongs to another store/);
  });

  test("is refused when the file is not a database, or not one of ours", async () => {
    const text = await scratch();
    await writeFile(join(text, "locks.mdb"), "Dear diary, ".repeat(2000));
    await expect(openEmbeddedStore(text)).rejects.toThrow(/is damaged: its first page is not that of/);
    const foreign = await scratch();
    const database = openLmdb({ path: join(foreign, "locks.mdb"), noSubdir: true });
    await database.put("some", "thing");
    await database.close();
    await expect(openEmbeddedStore(foreign)).rejects.toThrow(/not one that engram-lock made/);
  });

  test("is refused when it has the format of another version, by either file", async () => {
    const directory = await filled();
    const card = join(directory, "engram-lock.json");
    const text = await readFile(card, "utf8");
    await writeFile(card, text.replace('"format":1', '"format":2'));
    await expect(openEmbeddedStore(directory)).rejects.toThrow(
      /engram-lock\.json has format 2, .* knows format 1/,
    );
    await writeFile(card, text);

    const database = openLmdb<Buffer, string>({
      path: join(directory, "locks.mdb"),
      noSubdir: true,
      encoding: "binary",
      overlappingSync: false,
    });
    const identity = JSON.parse(database.get("identity")!.toString());
    await database.put("identity", Buffer.from(JSON.stringify({ ...identity, format: 7 })));
    await database.close();
    await expect(openEmbeddedStore(directory)).rejects.toThrow(/locks\.mdb has format 7/);
  });

  test("is refused when rows are missing at the beginning of its log, or between others", async () => {
    for (const missing of [[1], [1, 2, 3, 4], [5]]) {
      const directory = await filled();
      const database = openLmdb({
        path: join(directory, "locks.mdb"),
        noSubdir: true,
        encoding: "binary",
        overlappingSync: false,
      });
      for (const row of missing) await database.remove(row);
      await database.close();
      await expect(openEmbeddedStore(directory)).rejects.toThrow(/is damaged: its log has rows/);
    }
  });

  test("opens again when only the card is gone: it is written anew", async () => {
    const directory = await filled();
    await rm(join(directory, "engram-lock.json"));
    const store = await openEmbeddedStore(directory);
    expect(await keysIn(store, { prefix: "" })).toHaveLength(keyCount);
    await store.close();
    expect(JSON.parse(await readFile(join(directory, "engram-lock.json"), "utf8"))).toMatchObject({
      format: 1,
    });
  });

  test("says which row a flipped bit is in", async () => {
    const directory = await filled();
    const file = join(directory, "locks.mdb");
    const bytes = await readFile(file);
    const place = bytes.lastIndexOf("key 0123");
    bytes[place + 5]! ^= 0x10;
    await writeFile(file, bytes);
    await expect(openEmbeddedStore(directory)).rejects.toThrow(
      /row \d+ of the log does not match its checksum/,
    );
    await expect(openEmbeddedStore(directory)).rejects.toThrow(failure({ retryable: false }));
  });

  test("refuses to go on when its database is deleted while it is open", async () => {
    const directory = await filled();
    const store = await openEmbeddedStore(directory);
    await rm(join(directory, "locks.mdb"));
    await expect(store.commit([put("a")])).rejects.toThrow(/was deleted or replaced while it was open/);
    await expect(store.read({})).rejects.toThrow(/was deleted or replaced while it was open/);
    await store.close();
  });

  test("is not taken for truncated when it grows while it is looked at", async () => {
    const directory = await scratch();
    const store = await openEmbeddedStore(directory);
    let looking = true;
    const fault = faultOf(join(directory, "locks.mdb")).finally(() => {
      looking = false;
    });
    // More pages with each turn of the event loop, so between any two looks, than a whole file may lack.
    for (let number = 0; looking; number += 1) {
      await apply(store, put(`k${number}`, "x".repeat(1_500_000)));
    }
    expect(await fault).toBeUndefined();
    await store.close();
  });

  test("commits no more once its turnstile was replaced, and makes one that is missing", async () => {
    const directory = await filled();
    const store = await openEmbeddedStore(directory);
    await rm(join(directory, "turnstile.mdb"));
    await expect(store.commit([put("a")])).rejects.toThrow(/turnstile\.mdb was deleted or replaced/);
    await store.close();
    const again = await openEmbeddedStore(directory);
    await apply(again, put("a"));
    expect(await keysIn(again, { prefix: "" })).toHaveLength(keyCount + 1);
    await again.close();
  });

  test("does not go on without a lock file that others would make anew", async () => {
    for (const name of ["locks.mdb-lock", "turnstile.mdb-lock"]) {
      const directory = await filled();
      const store = await openEmbeddedStore(directory);
      await rm(join(directory, name));
      const other = startChild(directory, "obey");
      await other.nextLine();
      other.tell("put a");
      expect(JSON.parse(await other.nextLine())).toMatchObject({ applied: true });
      await expect(store.commit([put("b")])).rejects.toThrow(`${name} was deleted or replaced`);
      await store.close();
      const again = await openEmbeddedStore(directory);
      await apply(again, put("b"));
      other.tell("keys");
      const keys = await keysIn(again, { prefix: "" });
      expect(JSON.parse(await other.nextLine())).toEqual(keys);
      expect(keys).toHaveLength(keyCount + 2);
      other.process.stdin.end();
      expect(await other.ended).toBe(0);
      await again.close();
    }
  });

  test("does not read without the lock file of its database, which tells it what is new", async () => {
    const directory = await filled();
    const store = await openEmbeddedStore(directory);
    await rm(join(directory, "locks.mdb-lock"));
    await expect(store.read({})).rejects.toThrow(/locks\.mdb-lock was deleted or replaced/);
    await store.close();
  });

  test("is refused when its turnstile is damaged, in words that say what to do", async () => {
    const directory = await filled();
    await truncate(join(directory, "turnstile.mdb"), 100);
    await expect(openEmbeddedStore(directory)).rejects.toThrow(
      /turnstile\.mdb is damaged: .* delete it when no process has the store open/,
    );
    await rm(join(directory, "turnstile.mdb"));
    const store = await openEmbeddedStore(directory);
    expect(await keysIn(store, { prefix: "" })).toHaveLength(keyCount);
    await store.close();
  });

  test("is whole or refused, never shorter, wherever its file is cut or zeroed", {
    timeout: 60_000,
  }, async () => {
    const directory = await filled();
    const file = join(directory, "locks.mdb");
    const whole = await readFile(file);
    const pages = whole.length / 4096;
    const places = Array.from({ length: 8 }, (_, number) => Math.floor(((number + 1) * pages) / 9));
    const damages = places.flatMap((page) => [
      async () => truncate(file, page * 4096 + 100),
      async () => {
        const handle = await open(file, "r+");
        await handle.write(Buffer.alloc(4096), 0, 4096, page * 4096);
        await handle.close();
      },
    ]);
    const answers = [];
    for (const damage of damages) {
      await writeFile(file, whole);
      await damage();
      const [line] = await runChild(directory, "show");
      answers.push(JSON.parse(line ?? '{"crashed":true}'));
    }
    const entire = answers.filter((answer) => "keys" in answer && answer.keys.length === keyCount);
    const refused = answers.filter((answer) => answer.error === "StoreError" && answer.outcome === "none");
    expect(refused.length).toBeGreaterThan(0);
    expect(answers.filter((answer) => !entire.includes(answer) && !refused.includes(answer))).toEqual([]);
  });
});

/** A closed store with some rows, each of several pages. */
async function filled(): Promise<string> {
  const directory = await scratch();
  const store = await openEmbeddedStore(directory);
  for (let row = 0; row < 8; row += 1) {
    const keys = Array.from({ length: keyCount / 8 }, (_, number) =>
      String(row * 50 + number).padStart(4, "0"),
    );
    await apply(
      store,
      change({ put: keys.map((key) => ({ key: `key ${key}`, value: "value ".repeat(40) })) }),
    );
  }
  await store.close();
  return directory;
}
