/** A conversation that is cut at every frame, in turn: nothing is lost, done twice or left. */
import { describe, expect, test } from "vitest";
import { LockError } from "../../src/errors.js";
import type { AcquiredLock, LockManager } from "../../src/lock-manager.js";
import { leftovers } from "../manager/stage.js";
import { type Wired, wired } from "./wired.js";

/** What two agents do; each line says what came of it. */
async function conversation(remote: LockManager): Promise<string[]> {
  const said: string[] = [];
  const ann = await remote.acquireLock("/a", "ann", { ttl: "1m" });
  said.push(`ann holds /a for ${ann.ttlMs}`);
  const bobs = remote.acquireLock("/a", "bob", { ttl: "1m", timeout: "1m" });
  bobs.catch(() => undefined);
  const more = await remote.acquireMultipleLocks(["/b", "/c"], "ann", { ttl: "1m" });
  said.push(`ann holds ${more.map((lock) => lock.resourcePath).join(" and ")}`);
  said.push(`ann extends by ${(await ann.extend("2m")).ttlMs}`);
  said.push(`ann is refused: ${await codeOf(remote.acquireLock("/a", "cat", { timeout: 0 }))}`);
  said.push(`ann releases: ${await ann.release()}`);
  const bob = await bobs;
  said.push(`bob holds /a, later: ${bob.fencingToken > ann.fencingToken}`);
  said.push(`held: ${(await remote.getStats()).locks}`);
  const released = await Promise.all([bob, ...more].map((lock) => lock.release()));
  said.push(`released: ${released.join(",")}`);
  return said;
}

async function codeOf(call: Promise<AcquiredLock>): Promise<string> {
  try {
    return (await call).lockId;
  } catch (error) {
    return error instanceof LockError ? error.code : String(error);
  }
}

async function told(wire: Wired, remote: LockManager): Promise<string[] | undefined> {
  let said: string[] | undefined;
  conversation(remote).then(
    (lines) => (said = lines),
    (error: unknown) => (said = [String(error)]),
  );
  await wire.clock.settle();
  for (let ms = 0; ms < 3_000 && said === undefined; ms += 50) await wire.clock.advance(50);
  if (said === undefined) throw new Error("The conversation has not ended within three seconds.");
  return said;
}

async function framesOfOne(): Promise<{ frames: number; said: string[] | undefined }> {
  const wire = await wired();
  let frames = 0;
  wire.server.beforeFrame = () => frames++;
  return { said: await told(wire, wire.connect()), frames };
}

describe("A connection that is cut", () => {
  test("before any frame, of either side, changes nothing", async () => {
    const { frames, said } = await framesOfOne();
    expect(frames).toBeGreaterThan(15);
    for (let cutAt = 0; cutAt < frames; cutAt++) {
      const wire = await wired();
      let frame = 0;
      wire.server.beforeFrame = () => {
        if (frame++ === cutAt) wire.server.cut();
      };
      expect(await told(wire, wire.connect()), `cut before frame ${cutAt}`).toEqual(said);
      expect(await leftovers(wire.store)).toEqual([]);
    }
  });

  test("at every frame after the second gets through all the same", async () => {
    const { said } = await framesOfOne();
    const wire = await wired();
    let frame = 0;
    wire.server.beforeFrame = () => {
      if (++frame % 4 === 0) wire.server.cut();
    };
    expect(await told(wire, wire.connect())).toEqual(said);
    expect(await leftovers(wire.store)).toEqual([]);
  });

  test("loses no event, and brings none twice", async () => {
    const wire = await wired();
    const remote = wire.connect();
    const events = remote.events({ types: ["acquired"] });
    const paths: string[] = [];
    const reading = (async () => {
      for await (const { resourcePath } of events) paths.push(resourcePath);
    })();
    await wire.clock.settle();
    for (let n = 0; n < 20; n++) {
      if (n % 3 === 0) wire.server.cut();
      await wire.settled(wire.manager.acquireLock(`/${n}`, "ann"));
      if (n % 5 === 0) await wire.clock.advance(200);
    }
    await wire.clock.advance(1_000);
    expect(paths).toEqual(Array.from({ length: 20 }, (_, n) => `/${n}`));
    await events.return?.();
    await reading;
  });

  test("hides from nobody that a lock which was granted meanwhile was taken away again", async () => {
    const wire = await wired();
    const remote = wire.connect();
    const ann = await wire.settled(wire.manager.acquireLock("/a", "ann", { ttl: "10m" }));
    const waiting = remote.acquireLock("/a", "bob", { ttl: "10m", timeout: "1m" });
    await wire.clock.settle();
    wire.server.reachable(false);
    await wire.settled(ann.release());
    await wire.settled(wire.manager.forceRelease("/a", { reason: "x" }));
    wire.server.reachable(true);
    await wire.clock.advance(3_000);
    // The grant and the loss arrived in one piece.
    expect((await waiting).signal.reason).toMatchObject({
      code: "lost",
      message: expect.stringContaining("an operator released it"),
    });
  });

  test("for good takes who waits out of the queue, and leaves what is held to its ttl", async () => {
    const wire = await wired();
    const remote = wire.connect();
    await wire.settled(remote.acquireLock("/a", "ann", { ttl: "30s" }));
    const waiting = remote.acquireLock("/a", "bob", { timeout: "1m" });
    waiting.catch(() => undefined);
    await wire.clock.settle();
    expect(await wire.manager.getStats()).toMatchObject({ locks: 1, waiters: 1 });
    wire.server.reachable(false);
    await wire.clock.advance(5_100);
    expect(await wire.settled(wire.manager.getStats())).toMatchObject({ locks: 1, waiters: 0 });
    await expect(wire.settled(wire.clock.advance(6_000).then(() => waiting))).rejects.toMatchObject({
      code: "outcome_unknown",
    });
    await wire.clock.advance(30_000);
    expect(await leftovers(wire.store)).toEqual([]);
  });

  test("just when a grant is on its way, for good, leaves no lock behind", async () => {
    const wire = await wired();
    const remote = wire.connect();
    const held = await wire.settled(wire.manager.acquireLock("/a", "ann", { ttl: "10m" }));
    remote.acquireLock("/a", "bob", { timeout: "1m", ttl: "10m" }).catch(() => undefined);
    await wire.clock.settle();
    wire.server.reachable(false);
    await wire.settled(held.release());
    expect(await wire.settled(wire.manager.getLock("/a"))).toMatchObject({ agentId: "bob" });
    await wire.clock.advance(5_100);
    expect(await leftovers(wire.store)).toEqual([]);
  });
});

describe("A server that crashes and comes back", () => {
  test("before any frame: what is held stays, and every call ends with what is true, or with its outcome unknown", async () => {
    const { frames } = await framesOfOne();
    for (let crashAt = 0; crashAt < frames; crashAt++) {
      const wire = await wired();
      let frame = 0;
      let coming: Promise<void> | undefined;
      wire.server.beforeFrame = () => {
        if (frame++ === crashAt) coming = wire.crash().then(() => wire.start());
      };
      const remote = wire.connect();
      let end: string | undefined;
      conversation(remote).then(
        (said) => (end = said.join("\n")),
        (error: unknown) => (end = error instanceof LockError ? error.code : String(error)),
      );
      await wire.clock.settle();
      for (let ms = 0; ms < 40_000 && end === undefined; ms += 100) await wire.clock.advance(100);
      await coming;
      // The one whose grant was never told of may have its agent in the way until its ttl is over.
      expect(end, `crash before frame ${crashAt}`).toMatch(
        /released: true,true,true|^outcome_unknown$|^store_unavailable$/,
      );
      await wire.clock.advance(150_000);
      expect(await leftovers(wire.store), `crash before frame ${crashAt}`).toEqual([]);
    }
  });

  test("lets those who wait queue again", async () => {
    const wire = await wired();
    const remote = wire.connect();
    const ann = await wire.settled(remote.acquireLock("/a", "ann", { ttl: "1m", autoExtend: true }));
    const waiting = remote.acquireLock("/a", "bob", { timeout: "5m" });
    await wire.clock.settle();
    await wire.crash();
    await wire.start();
    await wire.clock.advance(31_000);
    expect(ann.signal.aborted).toBe(false);
    expect(await wire.settled(wire.manager.getStats())).toMatchObject({ locks: 1, waiters: 1 });
    expect(await wire.settled(ann.release())).toBe(true);
    expect(await wire.settled(waiting)).toMatchObject({ agentId: "bob" });
  });

  test("does not end the next holder's lock by a forced release that is made again", async () => {
    const wire = await wired();
    const remote = wire.connect();
    await wire.settled(wire.manager.acquireLock("/a", "ann", { ttl: "1m" }));
    await wire.settled(remote.getStats());
    wire.server.deafen(true);
    const forced = remote.forceRelease("/a", { reason: "she sleeps" });
    forced.catch(() => undefined);
    await wire.settled(wire.manager.acquireLock("/a", "bob", { ttl: "1m" }));
    wire.server.reachable(false);
    await wire.clock.advance(6_000);
    wire.server.deafen(false);
    wire.server.reachable(true);
    await wire.clock.advance(3_000);
    await expect(forced).rejects.toMatchObject({ code: "outcome_unknown" });
    expect(await wire.settled(wire.manager.getLock("/a"))).toMatchObject({ agentId: "bob" });
  });

  test("lets nobody wait longer than it wanted to", async () => {
    const wire = await wired();
    const remote = wire.connect();
    await wire.settled(wire.manager.acquireLock("/a", "ann", { ttl: "10m" }));
    const waiting = remote.acquireLock("/a", "bob", { timeout: "12s" });
    let refused: unknown;
    waiting.catch((error: unknown) => (refused = error));
    await wire.clock.advance(1_000);
    wire.server.reachable(false);
    await wire.clock.advance(6_000);
    wire.server.reachable(true);
    await wire.clock.advance(4_900);
    expect(refused).toBeUndefined();
    await wire.clock.advance(200);
    expect(refused).toMatchObject({ code: "held" });
  });

  test("says that events may be missing", async () => {
    const wire = await wired();
    const events = wire.connect().events();
    await wire.clock.settle();
    await wire.crash();
    await wire.start();
    await wire.clock.advance(3_000);
    await wire.settled(wire.manager.acquireLock("/a", "ann"));
    expect((await wire.settled(events.next())).value).toMatchObject({ type: "reset" });
    expect((await wire.settled(events.next())).value).toMatchObject({ type: "acquired", resourcePath: "/a" });
    await events.return?.();
  });

  test("tells a holder at once whose lock is gone", async () => {
    const wire = await wired();
    const remote = wire.connect();
    const lock = await wire.settled(remote.acquireLock("/a", "ann", { ttl: "10m" }));
    await wire.crash();
    await wire.start();
    await wire.settled(wire.manager.forceRelease("/a", { reason: "while it was away" }));
    await wire.clock.advance(3_000);
    expect(lock.signal.reason).toMatchObject({
      code: "lost",
      message: expect.stringContaining("no longer in force"),
    });
  });
});

describe("What is made again on a server that knows nothing of it", () => {
  test("waits for no longer than was asked for at first", async () => {
    const wire = await wired();
    const remote = wire.connect();
    await wire.settled(wire.manager.acquireLock("/a", "ann", { ttl: "10m" }));
    let end: unknown;
    remote.acquireLock("/a", "bob", { timeout: "20s" }).catch((error: unknown) => (end = error));
    await wire.clock.advance(15_000);
    await wire.crash();
    await wire.start();
    await wire.clock.advance(3_000);
    expect(await wire.settled(wire.manager.getStats())).toMatchObject({ waiters: 1 });
    expect(end).toBeUndefined();
    await wire.clock.advance(2_100);
    expect(end).toMatchObject({ code: "held" });
  });

  test("is never a forced release of whoever holds the path: that may be another one by now", async () => {
    const wire = await wired();
    const remote = wire.connect();
    await wire.settled(wire.manager.acquireLock("/a", "ann", { ttl: "10m" }));
    await wire.settled(remote.getStats());
    // The server does it, and nobody learns.
    wire.server.deafen(true);
    const forced = remote.forceRelease("/a", { reason: "stuck" });
    forced.catch(() => undefined);
    await wire.clock.settle();
    const next = await wire.settled(wire.manager.acquireLock("/a", "bob", { ttl: "10m" }));
    await wire.crash();
    await wire.start();
    await wire.clock.advance(3_000);
    await expect(forced).rejects.toMatchObject({ code: "outcome_unknown" });
    expect(await wire.settled(wire.manager.getLock("/a"))).toMatchObject({ lockId: next.lockId });
  });

  test("is a release by id, which is done once whatever happens", async () => {
    const wire = await wired();
    const remote = wire.connect();
    const lock = await wire.settled(remote.acquireLock("/a", "ann", { ttl: "10m" }));
    wire.server.deafen(true);
    const released = lock.release();
    await wire.clock.settle();
    await wire.crash();
    await wire.start();
    await wire.clock.advance(3_000);
    expect(await released).toBe(true);
    expect(await leftovers(wire.store)).toEqual([]);
  });
});
