import { execFileSync } from "node:child_process";
import { copyFile, cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { LockError } from "../../src/errors.js";
import { openStore } from "../../src/open-store.js";
import { parseRedisUrl } from "../../src/store/redis/redis-url.js";

test("A URL says where the server is, and what is wanted of it.", () => {
  expect(parseRedisUrl("redis://localhost")).toEqual({
    hosts: [{ host: "localhost", port: 6379 }],
    isEncrypted: false,
    database: 0,
    namespace: "engram-lock",
    isCluster: false,
    requireDurable: false,
  });
  expect(parseRedisUrl("rediss://ann:s%40cret@[::1]:7000/3?namespace=team-a&requireDurable=true")).toEqual({
    hosts: [{ host: "::1", port: 7000 }],
    isEncrypted: true,
    username: "ann",
    password: "s@cret",
    database: 3,
    namespace: "team-a",
    isCluster: false,
    requireDurable: true,
  });
  expect(parseRedisUrl("redis://:pw@a,b:7001?cluster=true")).toMatchObject({
    hosts: [
      { host: "a", port: 6379 },
      { host: "b", port: 7001 },
    ],
    password: "pw",
    isCluster: true,
  });
  expect(parseRedisUrl("redis://a,b/2?sentinel=main")).toMatchObject({
    hosts: [
      { host: "a", port: 26379 },
      { host: "b", port: 26379 },
    ],
    database: 2,
    sentinel: "main",
  });
});

test.for([
  "redis:",
  "redis://",
  "redis://a:0",
  "redis://a:70000",
  "redis://a:x",
  "redis://[nonsense]",
  "redis://a b",
  "redis://a,,b?cluster=true",
  "redis://a,b",
  "redis://a/x",
  "redis://a/1/2",
  "redis://a/1?cluster=true",
  "redis://a?cluster=yes",
  "redis://a?cluster=true&sentinel=main",
  "redis://a?sentinel=",
  "redis://a?namespace=",
  "redis://a?namespace=}",
  `redis://a?namespace=${"n".repeat(65)}`,
  "redis://a?namespace=x&namespace=y",
  "redis://a?colour=red",
  "redis://a?requireDurable=true&cluster=true",
  "redis://a?requireDurable=true&sentinel=main",
  "redis://user@a",
  "redis://:%ff@a",
  "redis://a#fragment",
])("%s is refused as invalid.", async (url) => {
  await expect(openStore(url)).rejects.toThrow(
    expect.objectContaining({ name: "LockError", code: "invalid" }),
  );
});

test("A refusal does not show the password.", () => {
  for (const url of ["redis://ann:secret@a?x=1", "redis://ann:secret@a:0", "redis://:secret@"]) {
    try {
      parseRedisUrl(url);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(LockError);
      expect(JSON.stringify([error, (error as LockError).message])).not.toContain("secret");
    }
  }
});

test("Without the driver, opening says which package to install.", async () => {
  const folder = await mkdtemp(join(tmpdir(), "engram-lock-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const root = fileURLToPath(new URL("../..", import.meta.url));
  await cp(join(root, "dist"), join(folder, "dist"), { recursive: true });
  // No package is found from there.
  await copyFile(join(root, "package.json"), join(folder, "package.json"));
  await writeFile(
    join(folder, "open.mjs"),
    `import { openStore } from "./dist/open-store.js";
    await openStore("redis://127.0.0.1").catch((error) => console.log(error.name, error.message));`,
  );
  const said = execFileSync(process.execPath, [join(folder, "open.mjs")], { encoding: "utf8" });
  expect(said).toBe('StoreError A store on Redis needs the package "ioredis": npm install ioredis\n');
});
