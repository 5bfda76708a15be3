import { open } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../src/clock/system-clock.js";
import { openEmbeddedStore } from "../../src/store/embedded/embedded-store.js";
import { openPatiently } from "../../src/store/embedded/lmdb-file.js";
import { Log } from "../../src/store/embedded/log.js";
import { Turnstile } from "../../src/store/embedded/turnstile.js";
import { compileStore, scratch, startChild } from "./processes.js";

beforeAll(compileStore);

/** More with `KILL_ROUNDS=500 npx vitest run test/embedded/crash.test.ts`. */
const rounds = Number(process.env["KILL_ROUNDS"] ?? 20);

describe("A process that is killed while it commits", () => {
  test("loses nothing that was acknowledged, and leaves nothing by halves", {
    timeout: rounds * 5_000,
  }, async () => {
    const directory = await scratch();
    const acknowledged = new Map<string, number>();
    for (let round = 0; round < rounds; round += 1) {
      const child = startChild(directory, "commit");
      // Killed at another number of commits each time, so at another moment within one.
      const patience = 20 + ((round * 37) % 60);
      for (let line = 0; line < patience; line += 1) await child.nextLine();
      child.process.kill("SIGKILL");
      await child.ended;
      for (const line of child.lines) {
        const [name, number] = line.split(" ");
        if (name !== undefined) acknowledged.set(name, Number(number));
      }

      const store = await openEmbeddedStore(directory);
      for (const [name, last] of acknowledged) {
        const { ranges } = await store.read({ ranges: [{ prefix: `${name}/` }] });
        const numbers = new Set<number>();
        const keys = new Set(ranges[0]!.map((entry) => entry.key));
        for (const key of keys) numbers.add(Number(key.split("/")[1]));
        expect(numbers.has(last)).toBe(true);
        for (const number of numbers) {
          for (const part of ["a", "b", "c"]) expect(keys).toContain(`${name}/${number}/${part}`);
        }
        const newest = Math.max(...numbers);
        expect(newest - last).toBeLessThanOrEqual(1);
        expect(numbers.size).toBe(Math.min(newest + 1, 50));
      }
      await store.close();
    }
  });
});

describe("A reader that was killed", () => {
  test.runIf(process.platform === "linux")(
    "keeps nobody from opening the file who waited while its locks were destroyed",
    async () => {
      const directory = await scratch();
      const [holder, reader] = [startChild(directory, "obey"), startChild(directory, "obey")];
      for (const child of [holder, reader]) {
        await child.nextLine();
        child.tell("put a");
        await child.nextLine();
      }
      reader.process.kill("SIGKILL");
      await reader.ended;
      await destroyLocks(join(directory, "locks.mdb-lock"));

      const turnstile = new Turnstile(join(directory, "turnstile.mdb"));
      const openLog = () => new Log(join(directory, "locks.mdb"), turnstile);
      expect(openLog).toThrow("Invalid argument");
      holder.process.kill("SIGKILL");
      await holder.ended;
      const log = await openPatiently(systemClock, openLog);
      expect(log.ends()).toEqual([1, 3]);
      await log.close();
    },
  );
});

/** What `pthread_mutex_destroy` of glibc does: the kind of a mutex, here one that is robust and shared, becomes none. */
async function destroyLocks(lockFile: string): Promise<void> {
  const handle = await open(lockFile, "r+");
  const bytes = Buffer.alloc(192);
  await handle.read(bytes, 0, bytes.length, 0);
  const kinds = Array.from({ length: bytes.length / 4 }, (_, place) => place * 4).filter(
    (place) => bytes.readInt32LE(place) === 0x90,
  );
  expect(kinds).toHaveLength(3);
  for (const place of kinds) await handle.write(Buffer.from([255, 255, 255, 255]), 0, 4, place);
  await handle.close();
}
