import { spawnSync } from "node:child_process";
import { readdir } from "node:fs/promises";
import { open as openLmdb } from "lmdb";
import { beforeAll, describe, expect, test } from "vitest";
import { openEmbeddedStore } from "../../src/store/embedded/embedded-store.js";
import { apply, change, keysIn, put, valueAt } from "../conformance/changes.js";
import { compileStore, runChild, runThread, scratch, startChild } from "./processes.js";

beforeAll(compileStore);

describe("Several processes on one embedded store", () => {
  test("lose no update of a counter, and revisions rise with the count", { timeout: 60_000 }, async () => {
    const directory = await scratch();
    const rounds = 100;
    const children = Array.from({ length: 4 }, () => startChild(directory, "count", { count: rounds }));
    expect(await Promise.all(children.map((child) => child.ended))).toEqual([0, 0, 0, 0]);
    const additions = children
      .flatMap((child) => child.lines.map((line) => line.split(" ").map(Number)))
      .toSorted((a, b) => a[0]! - b[0]!);
    const counts = additions.map(([count]) => count);
    expect(counts).toEqual(Array.from({ length: 4 * rounds }, (_, number) => number + 1));
    for (const [place, [, revision]] of additions.entries()) {
      expect(revision).toBeGreaterThan(additions[place - 1]?.[1] ?? 0);
    }
    const store = await openEmbeddedStore(directory);
    expect(await valueAt(store, "count")).toBe(4 * rounds);
    await store.close();
  });

  test("lose no update while others open the store and close it all the time", {
    timeout: 120_000,
  }, async () => {
    const directory = await scratch();
    const counters = Array.from({ length: 3 }, () => startChild(directory, "count", { count: 700 }));
    const others = Array.from({ length: 3 }, () => startChild(directory, "knock", { count: 1500 }));
    const children = [...counters, ...others];
    expect(await Promise.all(children.map((child) => child.ended))).toEqual(Array(6).fill(0));
    const counts = counters.flatMap((child) => child.lines.map((line) => Number(line.split(" ")[0])));
    expect(counts.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 2100 }, (_, number) => number + 1));
  });

  test("make a fresh folder's store only once, though they all open it at the same time", {
    timeout: 60_000,
  }, async () => {
    const directory = await scratch();
    const children = Array.from({ length: 8 }, () => startChild(`${directory}/new`, "count", { count: 3 }));
    expect(await Promise.all(children.map((child) => child.ended))).toEqual(Array(8).fill(0));
    const store = await openEmbeddedStore(`${directory}/new`);
    expect(await valueAt(store, "count")).toBe(24);
    await store.close();
    const files = await readdir(`${directory}/new`);
    expect(files.toSorted()).toEqual([
      "engram-lock.json",
      "hint",
      "locks.mdb",
      "locks.mdb-lock",
      "turnstile.mdb",
      "turnstile.mdb-lock",
    ]);
  });

  test("hear soon what another process announces", { timeout: 30_000 }, async () => {
    const directory = await scratch();
    const listener = startChild(directory, "listen");
    expect(await listener.nextLine()).toBe("listening");
    const store = await openEmbeddedStore(directory);
    const late: number[] = [];
    for (let round = 0; round < 50; round += 1) {
      const path = `/hint/${round}/${Date.now()}`;
      await apply(store, change({ announce: [path] }));
      const [heard, delay] = (await listener.nextLine()).split(" ");
      expect(heard).toBe(path);
      late.push(Number(delay));
    }
    expect(late.toSorted((a, b) => a - b)[25]).toBeLessThanOrEqual(20);
    listener.process.stdin.end();
    expect(await listener.ended).toBe(0);
    await store.close();
  });

  test("see everything after they slept while the rows they had not seen were tidied away", {
    timeout: 60_000,
  }, async () => {
    const directory = await scratch();
    const store = await openEmbeddedStore(directory);
    await apply(store, put("kept from the beginning"), put("last", 0));
    const sleeper = startChild(directory, "look");
    expect(JSON.parse(await sleeper.nextLine())).toEqual({ last: 0, keys: 2 });
    for (let round = 1; round <= 200; round += 1) {
      const churn = Array.from({ length: 100 }, (_, number) => ({ key: `churn/${number}`, value: round }));
      await apply(store, change({ put: [...churn, { key: "last", value: round }] }));
    }
    sleeper.tell("look again");
    expect(JSON.parse(await sleeper.nextLine())).toEqual({ last: 200, keys: 102 });
    sleeper.process.stdin.end();
    expect(await sleeper.ended).toBe(0);
    await store.close();
  });

  const canHaveOwnNumbers = spawnSync("unshare", ["--pid", "--fork", "true"]).status === 0;

  test.skipIf(!canHaveOwnNumbers)(
    "are refused in words when they have the same number, as in two containers",
    {
      timeout: 60_000,
    },
    async () => {
      const directory = await scratch();
      const runner = ["unshare", "--pid", "--fork", "--kill-child"];
      const first = startChild(directory, "obey", { runner });
      expect(await first.nextLine()).toBe("1");
      const [refused] = await runChild(directory, "show", { runner });
      expect(JSON.parse(refused ?? "")).toMatchObject({
        error: "StoreError",
        message: expect.stringContaining("another process with the number 1 has it open"),
      });
      first.tell("put a");
      expect(JSON.parse(await first.nextLine())).toMatchObject({ applied: true });
      first.process.stdin.end();
      expect(await first.ended).toBe(0);
      // Once it is gone, the next one with its number is welcome.
      expect(JSON.parse((await runChild(directory, "show", { runner }))[0] ?? "")).toMatchObject({
        keys: ["a"],
      });
    },
  );

  test("keep nothing of what they read, so that its pages can be used again while they are stopped", async () => {
    const directory = await scratch();
    const store = await openEmbeddedStore(directory);
    await apply(store, put("a"));
    await store.read({});
    // Before the event loop goes on: where a process is that works for long, or is stopped.
    const readers = openLmdb({ path: `${directory}/locks.mdb`, noSubdir: true }).readerList();
    expect(readers).toMatch(new RegExp(`^ *${process.pid} \\w+ -$`, "m"));
    expect(readers).not.toMatch(new RegExp(`^ *${process.pid} \\w+ \\d+$`, "m"));
    await store.close();
  });

  test("are not kept alive by an open store", { timeout: 30_000 }, async () => {
    const directory = await scratch();
    expect(await runChild(directory, "idle")).toEqual(["idle"]);
  });
});

describe("A worker thread", () => {
  test("is not let in, for it may be terminated while it commits", async () => {
    const [refused] = await runThread(await scratch(), "show");
    expect(JSON.parse(refused ?? "")).toMatchObject({
      error: "StoreError",
      message: expect.stringContaining("Open it in the main thread of a process"),
      outcome: "none",
    });
  });
});

describe("Two handles in one process", () => {
  test("share what either commits, under any name of the folder, and close one by one", async () => {
    const directory = await scratch();
    const first = await openEmbeddedStore(directory);
    const second = await openEmbeddedStore(`${directory}/../${directory.split("/").at(-1)}/`);
    await apply(first, put("a"));
    await apply(second, put("b"));
    expect(await keysIn(first, { prefix: "" })).toEqual(["a", "b"]);
    await first.close();
    await apply(second, put("c"));
    await second.close();
    const [third, fourth] = await Promise.all([openEmbeddedStore(directory), openEmbeddedStore(directory)]);
    expect(await keysIn(third, { prefix: "" })).toEqual(["a", "b", "c"]);
    await Promise.all([third.close(), fourth.close()]);
  });
});
