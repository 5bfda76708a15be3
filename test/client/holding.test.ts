/** What a holder counts on that has its lock from a server. */
import { describe, expect, test } from "vitest";
import type { AcquiredLock } from "../../src/lock-manager.js";
import { type Wired, wired } from "./wired.js";

describe("a lock acquired from a server", () => {
  test("is told lost before it may have expired, when nobody extends it", async () => {
    const { clock, wire, remote } = await theatre();
    const lock = await wire.settled(remote.acquireLock("/a", "ann", { ttl: "30s" }));
    await clock.advance(29_900);
    expect(lock.signal.aborted).toBe(false);
    await clock.advance(90);
    expect(lock.signal.reason).toMatchObject({
      code: "lost",
      facts: { resourcePath: "/a", lockId: lock.lockId },
    });
  });

  test("lives on when it was extended", async () => {
    const { clock, wire, remote } = await theatre();
    const lock = await wire.settled(remote.acquireLock("/a", "ann", { ttl: "30s" }));
    await wire.settled(lock.extend("5m"));
    await clock.advance(60_000);
    expect(lock.signal.aborted).toBe(false);
    await clock.advance(240_000);
    expect(lock.signal.aborted).toBe(true);
  });

  test("with autoExtend is extended at a third of its ttl, with all the others in one message", async () => {
    const { clock, wire, remote, server } = await theatre();
    const locks = await wire.settled(
      remote.acquireMultipleLocks(["/a", "/b", "/c"], "ann", { ttl: "30s", autoExtend: true }),
    );
    await clock.advance(500);
    locks.push(await wire.settled(remote.acquireLock("/d", "bob", { ttl: "30s", autoExtend: true })));
    const before = server.framesTaken.length;
    await clock.advance(10_000);
    expect(server.framesTaken.length - before).toBe(1);
    await clock.advance(60_000);
    for (const lock of locks) expect(lock.signal.aborted).toBe(false);
  });

  test("is told lost at once when an operator ends it", async () => {
    const { wire, remote } = await theatre();
    const lock = await wire.settled(remote.acquireLock("/a", "ann", { ttl: "30s" }));
    const told = new Promise<void>((resolve) => lock.signal.addEventListener("abort", () => resolve()));
    await wire.settled(wire.manager.forceRelease("/a", { reason: "x" }));
    await told;
    expect(lock.signal.reason).toMatchObject({
      code: "lost",
      message: expect.stringContaining("an operator released it"),
    });
  });

  test("is told lost in time when the server cannot be reached, and since when that was so", async () => {
    const { clock, wire, remote, server } = await theatre();
    const lock = await wire.settled(remote.acquireLock("/a", "ann", { ttl: "30s", autoExtend: true }));
    server.reachable(false);
    await clock.advance(29_990);
    expect(lock.signal.reason).toMatchObject({
      code: "lost",
      message: expect.stringMatching(/the server was last heard of 29s ago/),
    });
  });

  test("is looked at before it is believed in, when the process was stopped", async () => {
    const { clock, wire, remote } = await theatre();
    const lock = await wire.settled(remote.acquireLock("/a", "ann", { ttl: "30s" }));
    clock.stall(40_000);
    expect(lock.signal.aborted).toBe(true);
    expect(lock.signal.reason.message).toMatch(
      /it may have been over for 1[01]s; this process was stopped for 1[01]s/,
    );
  });

  test("is resolved with all the same, and lost from the start, when the grant arrives only after its ttl", async () => {
    const { clock, wire, remote, server } = await theatre();
    const bob = await wire.settled(wire.manager.acquireLock("/a", "bob", { ttl: "10m" }));
    const waiting = remote.acquireLock("/a", "ann", { ttl: "1s", timeout: "1m" });
    await clock.settle();
    server.reachable(false);
    await wire.settled(bob.release());
    // Within the grace time: the session goes on, and the grant is told.
    await clock.advance(3_000);
    server.reachable(true);
    await clock.advance(3_000);
    const lock = await waiting;
    expect(lock.signal.reason).toMatchObject({ code: "lost", message: expect.stringContaining("expired") });
    expect(await wire.settled(lock.release())).toBe(false);
    const late = await wire.settled(wire.manager.acquireLock("/a", "cat", { timeout: 0 }));
    expect(late.fencingToken).toBeGreaterThan(lock.fencingToken);
  });

  test("that is shortened is counted on no longer than it may last", async () => {
    const { clock, wire, remote, server } = await theatre();
    const lock = await wire.settled(remote.acquireLock("/a", "ann", { ttl: "30s" }));
    // The server hears it, and its answer is lost.
    server.deafen(true);
    lock.extend("5s").catch(() => undefined);
    await clock.advance(4_900);
    expect(lock.signal.aborted).toBe(false);
    await clock.advance(100);
    expect(lock.signal.aborted).toBe(true);
    await wire.clock.settle();
  });

  test("is given back although an extension is under way", async () => {
    const { clock, wire, remote } = await theatre();
    const lock = await wire.settled(remote.acquireLock("/a", "ann", { ttl: "30s", autoExtend: true }));
    const extending = lock.extend("1m");
    const released = lock.release();
    // The extension may be answered first, or the loss.
    await wire.settled(Promise.allSettled([extending]));
    expect(await released).toBe(true);
    await clock.advance(60_000);
    expect(await wire.settled(remote.getLock("/a"))).toBeUndefined();
  });

  test("is told lost in time although an old frame was sent again", async () => {
    const { clock, wire, remote, server } = await theatre();
    const cat = await wire.settled(wire.manager.acquireLock("/b", "cat", { ttl: "30s" }));
    const lock = await wire.settled(remote.acquireLock("/a", "ann", { ttl: "10s" }));
    const waiting = remote.acquireLock("/b", "bob", { ttl: "30s", timeout: "1m" });
    await clock.settle();
    // The frame with the grant is made now, and does not arrive; a later one of the client does.
    server.deafen(true);
    await wire.settled(cat.release());
    await clock.advance(4_000);
    remote.acquireLock("/b", "dan", { timeout: "1m" }).catch(() => undefined);
    await clock.advance(500);
    server.deafen(false);
    server.cut();
    await clock.advance(1_000);
    expect(await waiting).toMatchObject({ agentId: "bob" });
    expect(remote.currentTime().getTime()).toBeGreaterThanOrEqual(clock.now());
    server.reachable(false);
    await clock.advance(4_500);
    expect(lock.signal.aborted).toBe(true);
  });
});

async function theatre() {
  const wire = await wired();
  return { wire, clock: wire.clock, server: wire.server, remote: wire.connect() };
}

describe("a client that closes", () => {
  test("acquires nothing more while it gives back what it has, and leaves nothing", async () => {
    const { clock, wire, remote } = await theatre();
    await wire.settled(remote.acquireLock("/a", "ann", { ttl: "10m" }));
    const before = remote.acquireLock("/b", "ann", { ttl: "10m" });
    const closing = remote.close({ release: true });
    const meanwhile = remote.acquireLock("/c", "ann", { ttl: "10m" });
    const refused = { status: "rejected", reason: expect.objectContaining({ code: "closed" }) };
    expect(await wire.settled(Promise.allSettled([before, meanwhile]))).toEqual([refused, refused]);
    await wire.settled(closing);
    await clock.advance(100);
    expect(await wire.settled(wire.manager.getStats())).toMatchObject({ locks: 0, waiters: 0 });
  });
});

describe("a lock granted to a call that was aborted just before", () => {
  /** The grant arrives right after its call was aborted, and the same agent asks again in between. */
  async function crossed(pathAskedAgain: string): Promise<{ wire: Wired; again: Promise<AcquiredLock> }> {
    const wire = await wired();
    const remote = wire.connect();
    const bob = await wire.settled(wire.manager.acquireLock("/a", "bob", { ttl: "10m" }));
    const change = new AbortController();
    const first = remote.acquireLock("/a", "ann", { ttl: "10m", timeout: "1m", signal: change.signal });
    first.catch(() => undefined);
    await wire.clock.settle();
    let again: Promise<AcquiredLock> | undefined;
    wire.server.beforeFrame = () => {
      if (again !== undefined) return;
      change.abort();
      again = remote.acquireLock(pathAskedAgain, "ann", { ttl: "10m" });
      again.catch(() => undefined);
    };
    await wire.settled(bob.release());
    await expect(first).rejects.toMatchObject({ code: "aborted" });
    if (again === undefined) throw new Error("Nobody was granted anything.");
    return { wire, again };
  }

  test("stays with the call that the same agent made meanwhile", async () => {
    const { wire, again } = await crossed("/a");
    const lock = await wire.settled(again);
    expect(await wire.settled(wire.manager.getLock("/a"))).toMatchObject({ lockId: lock.lockId });
    expect(lock.signal.aborted).toBe(false);
  });

  test("is lost in the hands of that call if it was given back all the same, and never thought to be held", async () => {
    const { wire, again } = await crossed("/a/");
    const lock = await wire.settled(again);
    const inForce = await wire.settled(wire.manager.getLock("/a"));
    expect(lock.signal.aborted).toBe(inForce?.lockId !== lock.lockId);
  });
});
