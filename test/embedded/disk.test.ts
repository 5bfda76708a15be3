import { spawnSync } from "node:child_process";
import { chmod, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { openEmbeddedStore } from "../../src/store/embedded/embedded-store.js";
import { failedCommit } from "../../src/store/embedded/failures.js";
import { requireLocal } from "../../src/store/embedded/folder.js";
import { StoreError } from "../../src/store/store.js";
import { apply, failure, keysIn, put, remove } from "../conformance/changes.js";
import { compileStore, runChild, scratch } from "./processes.js";

beforeAll(compileStore);

// Where nobody can make folders, and the system says that they are not there.
test.runIf(process.platform === "linux")("A store below /proc is refused", async () => {
  await expect(openEmbeddedStore("/proc/none/locks")).rejects.toThrow(/it cannot be made there/);
});

describe("A disk that does not do what the embedded store needs", () => {
  test("that is full fails the commit; reads go on, and so do commits when there is room again", async ({
    skip,
  }) => {
    const directory = await scratch();
    if (!succeeds("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", directory))
      skip("A small file system can only be mounted by root on Linux.");
    onTestFinished(() => {
      succeeds("umount", directory);
    });
    const ballast = join(directory, "ballast");
    await writeFile(ballast, Buffer.alloc(2 ** 20));
    const store = await openEmbeddedStore(directory);
    const big = "0123456789".repeat(10_000);
    let stored = 0;
    const fill = async (): Promise<void> => {
      for (; stored < 100; stored += 1) await apply(store, put(`big/${stored}`, big));
    };
    const full = { name: "StoreError", outcome: expect.stringMatching(/none|unknown/), retryable: true };
    await expect(fill()).rejects.toMatchObject(full);
    await expect(fill()).rejects.toThrow(/there is no space left on the disk/);
    expect(stored).toBeGreaterThan(2);
    expect(await keysIn(store, { prefix: "big/" })).toHaveLength(stored);

    await rm(ballast);
    await apply(store, put("big/again", big));
    await store.close();
    const again = await openEmbeddedStore(directory);
    expect(await keysIn(again, { prefix: "big/" })).toHaveLength(stored + 1);
    await again.close();
  });

  test("that may not be written to is refused in words", async ({ skip }) => {
    if (process.platform === "win32") skip("Windows has no such permissions.");
    const directory = await scratch();
    await chmod(directory, 0o555);
    const nobody = process.getuid?.() === 0 ? { uid: 65_534 } : {};
    const look = ["-e", 'require("node:fs").accessSync(process.argv[1])', fileURLToPath(import.meta.url)];
    if (spawnSync(process.execPath, look, nobody).status !== 0) {
      skip("Only root may read this checkout, as in root's own home.");
    }
    const [line] = await runChild(directory, "show", nobody);
    expect(JSON.parse(line!)).toMatchObject({ error: "StoreError", outcome: "none" });
    expect(JSON.parse(line!).message).toMatch(/this process may not write there; check the owner/);
  });

  test("has a file where the folder should be", async () => {
    const file = join(await scratch(), "file");
    await writeFile(file, "");
    await expect(openEmbeddedStore(file)).rejects.toThrow(/that path is a file, not a folder/);
    await expect(openEmbeddedStore(join(file, "below"))).rejects.toThrow(/is a file, not a folder/);
    const deep = join(await scratch(), "a", "b", "c");
    const both = await Promise.all([openEmbeddedStore(deep), openEmbeddedStore(deep)]);
    for (const store of both) await store.close();
  });

  test("of a network is refused", () => {
    const ext4 = 0xef53;
    const nfs = 0x6969;
    const cifs = 0xff534d42 | 0;
    requireLocal("/locks", ext4);
    expect(() => requireLocal("/locks", nfs)).toThrow(/network file system \(NFS\)/);
    expect(() => requireLocal("/locks", cifs)).toThrow(/network file system \(CIFS\)/);
  });
});

describe("A failed flush", () => {
  test("leaves the outcome unknown and makes the store unusable", () => {
    const flush = Object.assign(new Error("Input/output error"), { code: 5 });
    const failed = failedCommit("/", flush, true, () => true);
    expect(failed).toMatchObject({ poisoned: true, error: { outcome: "unknown", retryable: false } });
  });

  test("for lack of space surely wrote nothing, and may be tried again", () => {
    const noSpace = Object.assign(new Error("No space left on device"), { code: 28 });
    const failed = failedCommit("/", noSpace, true, () => true);
    expect(failed).toMatchObject({ poisoned: false, error: { outcome: "none", retryable: true } });
  });

  test("after which LMDB refuses to go on is one, even when it was for lack of space", () => {
    const noSpace = Object.assign(new Error("No space left on device"), { code: 28 });
    const failed = failedCommit("/", noSpace, true, () => false);
    expect(failed).toMatchObject({ poisoned: true, error: { outcome: "unknown", retryable: false } });
  });

  test("in one process stops the commits of all that had the store open, until they open it again", async () => {
    const directory = await scratch();
    const store = await openEmbeddedStore(directory);
    await apply(store, put("a"));
    await writeFile(join(directory, "failed-flush"), "from another process");
    await expect(store.commit([put("b")])).rejects.toThrow(failure({ retryable: false }));
    await expect(store.commit([remove("a")])).rejects.toThrow(
      /Every process has to close the store and open it/,
    );
    expect(await keysIn(store, { prefix: "" })).toEqual(["a"]);
    await store.close();
    const again = await openEmbeddedStore(directory);
    await apply(again, put("b"));
    await again.close();
  });

  test("is told apart from a value that is no JSON, of which nothing was written", async () => {
    const store = await openEmbeddedStore(await scratch());
    const circle: { self?: unknown } = {};
    circle.self = circle;
    const failed = await store.commit([put("a", circle as never)]).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(StoreError);
    expect(failed).toMatchObject({ outcome: "none", retryable: false });
    await apply(store, put("b"));
    await store.close();
  });
});

function succeeds(command: string, ...args: string[]): boolean {
  return spawnSync(command, args).status === 0;
}
