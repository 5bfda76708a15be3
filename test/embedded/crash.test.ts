import { beforeAll, describe, expect, test } from "vitest";
import { openEmbeddedStore } from "../../src/store/embedded/embedded-store.js";
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
