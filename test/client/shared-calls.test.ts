/** Calls about locks that share a message. */
import { describe, expect, test } from "vitest";
import type { LockManager } from "../../src/lock-manager.js";
import { type Wired, wired } from "./wired.js";

describe("locks that one agent gives back in one turn", () => {
  test("share a message, of at most a hundred", async () => {
    const { wire, remote } = await theatre();
    const paths = Array.from({ length: 150 }, (_, number) => `/p/${number}`);
    const locks = await wire.settled(
      Promise.all(
        [...paths, "/bob"].map((path) => remote.acquireLock(path, path === "/bob" ? "bob" : "ann")),
      ),
    );
    const before = wire.server.framesTaken.length;
    const released = await wire.settled(Promise.all(locks.map((lock) => lock.release())));
    expect(released).toEqual(Array(151).fill(true));
    const releases = heardSince(wire, before).filter(({ op }) => op === "release");
    expect(releases.map(({ agent_id, locks: named }) => [agent_id, named?.length])).toEqual([
      ["ann", 100],
      ["ann", 50],
      ["bob", 1],
    ]);
  });

  test("are told of one by one", async () => {
    const { wire, remote } = await theatre();
    const [one, two, three] = await wire.settled(
      Promise.all(["/1", "/2", "/3"].map((path) => remote.acquireLock(path, "ann"))),
    );
    await wire.settled(wire.manager.releaseLock("/2", "ann", two!.lockId));
    const answers = Promise.all([
      one!.release(),
      remote.releaseLock("/2", "ann", two!.lockId),
      three!.release(),
    ]);
    expect(await wire.settled(answers)).toEqual([true, false, true]);
    expect((await wire.manager.listLocks()).locks).toEqual([]);
  });

  test("are given back all the same when one of them is refused", async () => {
    const { wire, remote } = await theatre();
    const [one, two] = await wire.settled(
      Promise.all(["/1", "/2"].map((path) => remote.acquireLock(path, "ann"))),
    );
    const refused = remote.releaseLock("/3", "ann", "");
    const answers = Promise.allSettled([one!.release(), refused, two!.release()]);
    const [first, second, third] = await wire.settled(answers);
    expect([first, third]).toEqual(Array(2).fill({ status: "fulfilled", value: true }));
    expect(second).toMatchObject({ status: "rejected", reason: { code: "invalid" } });
    expect((await wire.manager.listLocks()).locks).toEqual([]);
  });

  test("go by themselves when they may be called off", async () => {
    const { wire, remote } = await theatre();
    const locks = await wire.settled(
      Promise.all(["/1", "/2"].map((path) => remote.acquireLock(path, "ann"))),
    );
    const { signal } = new AbortController();
    const before = wire.server.framesTaken.length;
    await wire.settled(
      Promise.all(locks.map((lock) => remote.releaseLock(lock.resourcePath, "ann", lock.lockId, { signal }))),
    );
    expect(heardSince(wire, before).map(({ locks: named }) => named?.length)).toEqual([1, 1]);
  });

  test("have long names on several messages", async () => {
    const { wire, remote } = await theatre();
    const paths = Array.from({ length: 70 }, (_, number) => `/${number}/${"€".repeat(300)}`);
    const locks = await wire.settled(Promise.all(paths.map((path) => remote.acquireLock(path, "ann"))));
    const before = wire.server.framesTaken.length;
    const released = await wire.settled(Promise.all(locks.map((lock) => lock.release())));
    expect(released).toEqual(Array(70).fill(true));
    expect(heardSince(wire, before)).toHaveLength(2);
  });
});

describe("locks that one agent extends in one turn", () => {
  test("share a message, and are told of one by one", async () => {
    const { wire, remote } = await theatre();
    const locks = await wire.settled(
      Promise.all(["/1", "/2", "/3"].map((path) => remote.acquireLock(path, "ann", { ttl: "10s" }))),
    );
    const before = wire.server.framesTaken.length;
    const extended = await wire.settled(Promise.all(locks.map((lock) => lock.extend("1m"))));
    expect(extended.map(({ resourcePath, ttlMs }) => [resourcePath, ttlMs])).toEqual([
      ["/1", 60_000],
      ["/2", 60_000],
      ["/3", 60_000],
    ]);
    expect(heardSince(wire, before).map(({ op, locks: named }) => [op, named?.length])).toEqual([
      ["extend", 3],
    ]);
  });

  test("do not when they are to last differently", async () => {
    const { wire, remote } = await theatre();
    const [one, two] = await wire.settled(
      Promise.all(["/1", "/2"].map((path) => remote.acquireLock(path, "ann", { ttl: "10s" }))),
    );
    const [short, long] = await wire.settled(Promise.all([one!.extend(20_000), two!.extend("2m")]));
    expect([short.ttlMs, long.ttlMs]).toEqual([20_000, 120_000]);
  });

  test("are extended all the same when one of them is lost", async () => {
    const { wire, remote } = await theatre();
    const [one, two] = await wire.settled(
      Promise.all(["/1", "/2"].map((path) => remote.acquireLock(path, "ann", { ttl: "10s" }))),
    );
    await wire.settled(wire.manager.forceRelease("/1", { reason: "a test" }));
    const answers = Promise.allSettled([
      remote.extendLock("/1", "ann", one!.lockId, "1m"),
      two!.extend("1m"),
    ]);
    const [lost, kept] = await wire.settled(answers);
    expect(lost).toMatchObject({ status: "rejected", reason: { code: "lost" } });
    expect(kept).toMatchObject({ status: "fulfilled", value: { ttlMs: 60_000 } });
  });
});

async function theatre(): Promise<{ wire: Wired; remote: LockManager }> {
  const wire = await wired({ maxLocksPerAgent: 200 });
  return { wire, remote: wire.connect() };
}

/** What the server heard in the frames from this one on. */
function heardSince(wire: Wired, frame: number): readonly Heard[] {
  return wire.server.framesTaken
    .slice(frame)
    .flatMap((text): readonly Heard[] => JSON.parse(text))
    .filter(({ op }) => op !== undefined);
}

interface Heard {
  readonly op?: string;
  readonly agent_id?: string;
  readonly locks?: readonly object[];
}
